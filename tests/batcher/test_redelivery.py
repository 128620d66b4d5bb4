"""Histories of deliveries, failures and crashes, against an oracle over the store: every record once.

The mapping of these tests never delivers less than it did before from the same place: it tops up, as Lambda does, or
repeats. It may fall back to an older checkpoint, but not on a store without metadata: from content alone nobody can
tell whether an object covered the refused records after its last line. `test_nothing_is_lost_however_it_is_cut`
drops both.
"""

import asyncio
import json
from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.batcher.support import ScriptedStore, aggregate, number, record
from tests.virtual_time import run
from truckstream.batcher import Batcher

#: What may happen to a delivery: to the n-th call that its batcher makes, or nothing.
faults = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(["refuse", "lose", "outage", "crash", "crash and land late"]), st.integers(1, 12)),
)
#: How many records are delivered, what happens to them, and how many checkpoints the mapping falls back first.
deliveries = st.lists(st.tuples(st.integers(1, 25), faults, st.sampled_from([0, 0, 0, 1, 2, 9])), max_size=12)
#: Which records are valid: of each Kinesis record's user records, so that lists are aggregates.
judged = st.booleans() | st.just(True)
shards = st.lists(judged | st.lists(judged, min_size=1, max_size=9), max_size=60) | st.lists(judged, max_size=60)


def data(n, good, subsequence=None):
    """A user record's: which it is, so that the oracle knows it again."""
    place = n if subsequence is None else f"{n}.{subsequence}"
    return b'{"%s":"%s"}' % (b"n" if good else b"m", str(place).encode())


class Place(msgspec.Struct, forbid_unknown_fields=True):
    n: str


def event(n, valid):
    """Record n of the shard: an aggregate if `valid` is a list."""
    if isinstance(valid, bool):
        return record(data(n, valid), n)
    return record(aggregate(*(data(n, good, subsequence) for subsequence, good in enumerate(valid))), n)


def places(shard, good):
    """Where the valid records stand, or the refused ones."""
    return Counter(
        str(n) if subsequence is None else f"{n}.{subsequence}"
        for n, valid in enumerate(shard)
        for subsequence, each in ([(None, valid)] if isinstance(valid, bool) else enumerate(valid))
        if each is good
    )


class Shard:
    """A shard, its mapping's checkpoint, and the batcher that a mapping would call."""

    def __init__(self, valid, size, *, metadata, anything=False):
        self.valid = valid
        self.store = ScriptedStore(metadata=metadata)
        self.batcher = Batcher(self.store, batch_size=size, schema=Place)
        self.anything = anything
        self.falls_back = metadata or anything
        self.checkpoints = [0]
        self.delivered = 0

    async def deliver(self, count, fault):
        """One delivery from the checkpoint on, in which `fault` happens."""
        start = self.checkpoints[-1]
        stop = min(start + count, len(self.valid))
        if not self.anything:
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

        def act(verb, _):
            nonlocal countdown
            countdown -= 1
            if landing and countdown % 2:
                self.store.land_late()
            if kind.startswith("crash") and countdown == 0:
                task.cancel()
            if (kind == "refuse" and countdown == 0) or (kind == "outage" and countdown <= 0):
                return OSError("503 SlowDown")
            return "lost" if kind == "lose" and countdown == 0 and verb == "put" else None

        return act

    async def live(self, history):
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

    def stored(self):
        return Counter(line["n"] for line in self.store.lines("sensor_data"))

    def rejected(self):
        lines = self.store.lines("rejected")
        for line in lines:
            n, _, subsequence = json.loads(line["data"])["m"].partition(".")
            assert line["sequence_number"] == number(int(n))
            assert line.get("subsequence_number") == (int(subsequence) if subsequence else None)
        return Counter(json.loads(line["data"])["m"] for line in lines)


@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "content"])
@settings(max_examples=150, deadline=None)
@given(shards, st.integers(1, 7) | st.just("auto"), deliveries)
def test_every_record_once_whatever_fails(metadata, valid, size, history):
    shard = Shard(valid, size, metadata=metadata)
    run(shard.live(history))
    assert shard.stored() == places(valid, good=True)
    assert shard.rejected() == places(valid, good=False)


@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "content"])
@settings(max_examples=100, deadline=None)
@given(shards, st.integers(1, 7), deliveries)
def test_nothing_is_lost_however_it_is_cut(metadata, valid, size, history):
    shard = Shard(valid, size, metadata=metadata, anything=True)
    run(shard.live(history))
    assert set(shard.stored()) == set(places(valid, good=True))
    assert set(shard.rejected()) == set(places(valid, good=False))


def random_shard(random):
    share = random.choice([0.0, 0.05, 0.5, 0.9])
    aggregates = random.choice([0.0, 0.0, 0.2, 1.0])
    return [
        [random.random() >= share for _ in range(random.randint(1, 9))]
        if random.random() < aggregates
        else random.random() >= share
        for _ in range(random.randint(1, 60))
    ]


def random_history(random):
    """Longer and rougher than what hypothesis comes to: most deliveries fail in some way."""
    kinds = ["refuse", "lose", "outage", "crash", "crash and land late"]
    return [
        (
            random.randint(1, 25),
            (random.choice(kinds), random.randint(1, 12)) if random.random() < 0.7 else None,
            random.choice([0, 0, 0, 1, 2, 9]),
        )
        for _ in range(random.randint(2, 10))
    ]


@pytest.mark.parametrize("seed", range(4))
def test_every_record_once_in_a_long_row_of_histories(seed):
    random = Random(seed)
    for _ in range(250):
        valid = random_shard(random)
        shard = Shard(valid, random.choice([2, 3, 4, 5, 7, "auto"]), metadata=random.random() < 0.5)
        history = random_history(random)
        run(shard.live(history))
        assert shard.stored() == places(valid, good=True), (valid, history)
        assert shard.rejected() == places(valid, good=False), (valid, history)
