"""Histories of deliveries, failures and crashes: every record is stored once.

The event source mapping of these tests never delivers fewer records from a place than it did before: it repeats them or
adds newer ones, as Lambda does. It may fall back to an older checkpoint, but not on a store without metadata, because
the content cannot show whether an object covered the rejected records after its last line.
`test_no_mapping_loses_records` drops both restrictions, and checks from which record on duplicates occur.

Hypothesis shrinks a failure to the smallest history; `test_histories` has more histories, longer and with more faults.
"""

import asyncio
import gzip
import json
import math
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.exceptions import AlreadyExistsError

from tests.batcher.support import FIRST, ScriptedStore, aggregate, envelope, number, record
from tests.virtual_time import run
from truckstream.batcher import Batcher

pytestmark = pytest.mark.timeout(600)

#: The faults of a delivery, at the n-th call that its batcher makes to the store:
#: - refuse: the call fails (503); lose: it succeeds and its response is lost (a reset); outage: it and all later calls
#:   fail.
#: - crash: the function is gone, and its PUTs in flight store nothing; crash and land late: they store their objects
#:   during a later delivery.
#: - 409: the next PUT conflicts with another one for its key; collision: it finds a foreign object under its key.
KINDS = ["refuse", "lose", "outage", "crash", "crash and land late", "409", "collision"]
faults = st.none() | st.tuples(st.sampled_from(KINDS), st.integers(1, 12))
#: The number of records in a delivery, its fault, and the number of checkpoints that the mapping first falls back.
deliveries = st.lists(st.tuples(st.integers(1, 25), faults, st.sampled_from([0, 0, 0, 1, 2, 9])), max_size=12)
#: Whether each Kinesis record is valid; a list for the user records of an aggregate, which may be longer than a group.
judged = st.booleans() | st.just(True)
shards = st.lists(judged | st.lists(judged, min_size=1, max_size=9), max_size=60) | st.lists(judged, max_size=60)


def data(n, good, subsequence=None):
    """Return the data of a user record: its place."""
    place = n if subsequence is None else f"{n}.{subsequence}"
    return b'{"%s":"%s"}' % (b"n" if good else b"m", str(place).encode())


class PlaceRecord(msgspec.Struct, forbid_unknown_fields=True):
    n: str


def event(n, valid):
    """Return record n of the shard: an aggregate of the KPL or an envelope, by turns, if `valid` is a list."""
    if isinstance(valid, bool):
        return record(data(n, valid), n)
    pack = (aggregate, envelope)[n % 2]
    return record(pack(*(data(n, good, subsequence) for subsequence, good in enumerate(valid))), n)


def places(shard, good):
    """Return the places of the valid records, or of the rejected ones."""
    return Counter(
        str(n) if subsequence is None else f"{n}.{subsequence}"
        for n, valid in enumerate(shard)
        for subsequence, each in ([(None, valid)] if isinstance(valid, bool) else enumerate(valid))
        if each is good
    )


class SimulatedShard:
    """A shard, its mapping's checkpoints, and the batcher that the mapping calls."""

    def __init__(self, valid, size, *, metadata, any_range=False, **options):
        self.valid = valid
        self.store = ScriptedStore(metadata=metadata)
        self.batcher = Batcher(self.store, batch_size=size, schema=PlaceRecord, **options)
        self.any_range = any_range
        self.falls_back = metadata or any_range
        self.checkpoints = [0]
        self.delivered = 0
        self.foreign = set()
        self.starts = set()

    async def deliver(self, count, fault):
        """Make one delivery from the checkpoint on, with a fault."""
        start = self.checkpoints[-1]
        self.starts.add(start)
        stop = min(start + count, len(self.valid))
        if not self.any_range:
            stop = max(stop, self.delivered)
        self.delivered = max(stop, self.delivered)
        records = [event(n, self.valid[n]) for n in range(start, stop)]
        task = asyncio.ensure_future(self.batcher.process(records))
        self.store.script = self.script(fault, task)
        await asyncio.wait([task])
        if task.cancelled():
            return
        result = task.result()
        received = sum(1 if isinstance(each, bool) else len(each) for each in self.valid[start:stop])
        assert result.received == received == result.stored + result.rejected + result.not_stored
        failed = result.first_failed
        reached = stop if failed is None else start + [number(n) for n in range(start, stop)].index(failed)
        self.checkpoints.append(reached)

    def script(self, fault, task):
        kind, countdown = fault or ("", -1)
        landing = self.store.late
        met = []

        def act(verb, path):
            nonlocal countdown
            countdown -= 1
            if landing and countdown % 2:
                self.store.land_late()
            if kind.startswith("crash") and countdown == 0:
                task.cancel()
            if verb == "put" and countdown <= 0 and kind in {"409", "collision"} and not met:
                met.append(path)
                if kind == "409":
                    return AlreadyExistsError(path)
                if path not in self.store.objects:
                    self.store.objects[path] = (b"another batcher's\n", {})
                    self.foreign.add(path)
            if (kind == "refuse" and countdown == 0) or (kind == "outage" and countdown <= 0):
                return OSError("503 SlowDown")
            return "lost" if kind == "lose" and countdown == 0 and verb == "put" else None

        return act

    async def run(self, history):
        for count, fault, fall_back in history:
            if self.falls_back:
                self.checkpoints = self.checkpoints[: max(1, len(self.checkpoints) - fall_back)]
            await self.deliver(count, fault)
            if not (fault and fault[0] == "crash and land late"):
                self.store.late.clear()
        for _ in range(2 * len(self.valid) + 2):
            if self.checkpoints[-1] < len(self.valid):
                await self.deliver(25, None)
        assert self.checkpoints[-1] == len(self.valid)

    def lines(self, prefix):
        """Generate the lines of each object below a prefix."""
        for path, (body, _) in sorted(self.store.objects.items()):
            if path.startswith(prefix + "/") and path not in self.foreign:
                text = gzip.decompress(body) if path.endswith(".gz") else body
                is_array = text.startswith(b"[")
                yield json.loads(text) if is_array else [json.loads(line) for line in text.splitlines()]

    def begun_inside(self):
        """Return the first record at which a delivery began inside an object; infinity if none did."""
        spans = [
            [int(metadata[f"{end}-sequence-number"]) - FIRST for end in ("first", "last")]
            for path, (_, metadata) in self.store.objects.items()
            if path not in self.foreign
        ]
        return min((at for at in self.starts for first, last in spans if first < at <= last), default=math.inf)

    def stored(self):
        return Counter(line["n"] for lines in self.lines("sensor_data") for line in lines)

    def rejected(self):
        found = [line for lines in self.lines("rejected") for line in lines]
        for line in found:
            n, _, subsequence = json.loads(line["data"])["m"].partition(".")
            assert line["sequence_number"] == number(int(n))
            assert line.get("subsequence_number") == (int(subsequence) if subsequence else None)
        return Counter(json.loads(line["data"])["m"] for line in found)


@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "content"])
@settings(max_examples=150)
@given(shards, st.integers(1, 7) | st.just("auto"), deliveries)
def test_every_record_is_stored_once_whatever_fails(metadata, valid, size, history):
    shard = SimulatedShard(valid, size, metadata=metadata)
    run(shard.run(history))
    assert shard.stored() == places(valid, good=True)
    assert shard.rejected() == places(valid, good=False)


@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "content"])
@settings(max_examples=100)
@given(shards, st.integers(1, 7), deliveries)
def test_no_mapping_loses_records(metadata, valid, size, history):
    shard = SimulatedShard(valid, size, metadata=metadata, any_range=True)
    run(shard.run(history))
    assert set(shard.stored()) == set(places(valid, good=True))
    assert set(shard.rejected()) == set(places(valid, good=False))
    if metadata:
        twice = [place for place, count in (shard.stored() + shard.rejected()).items() if count > 1]
        assert min((int(place.partition(".")[0]) for place in twice), default=math.inf) >= shard.begun_inside()
