"""A history of deliveries to a batcher, made from one seed, and the oracle that checks its store.

The seed decides the shard (valid records, rejected records of several kinds, aggregates and envelopes that are shorter
or longer than a group, broken ones, hours between arrivals, sequence numbers that are repeated or missing, events that
are not in order), the batcher (group size, format, compression, layout, limits), the store (with metadata, or without
like a directory), how the event source mapping chooses its deliveries, and the outcome of every single request.

The kinds of mappings, and what the batcher promises for each:

    mapping      a delivery                                                        promise
    repeats      begins at the checkpoint and has every record that an earlier      once
                 delivery had; newer records may follow
    falls back   the same, from an older checkpoint: a failover                     once, with metadata
    re-created   begins at the checkpoint, or at the oldest record if the mapping   at least once
                 was created anew, and may be shorter than earlier deliveries
    any          begins and ends anywhere up to the checkpoint: bisection           at least once

The oracle predicts the duplicates of the last two kinds. A delivery is *misplaced* from a record on if

- it begins inside a group that is stored or that is still being stored;
- it begins before the checkpoint, on a store without metadata: the content cannot show which rejected records an object
  covered after its last line; or
- it ends before the furthest record that was ever delivered, while the store has a gap or a PUT is in flight; or
- it ends between two records of one sequence number, which only these two kinds of mappings do. Its groups may be
  stored again as a whole, so it is misplaced from its first record on.

From that record on, its groups may have other edges than those in the store. Records after the first such place that
had been delivered before may be stored twice; no others, and none if no delivery was misplaced.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import re
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from arro3.io import read_parquet
from obstore.exceptions import AlreadyExistsError

from tests.batcher.support import ARRIVAL, ScriptedStore, aggregate, envelope, number, record, sealed
from tests.virtual_time import run
from truckstream.batcher import Batcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.batcher import Result

#: The kinds of mappings, "repeats" twice as often as the others.
MAPPING_KINDS = ("repeats", "repeats", "falls back", "re-created", "any")

#: The outcomes of a request that is disturbed. "conflict" is S3's 409, which obstore raises as if the object existed.
FAULTS = ("503", "reset", "lost", "conflict", "collision", "slow")

#: The ways in which a whole delivery can end early. A "zombie" goes on after the mapping has given it up.
DELIVERY_FAULTS = ("crash", "crash and land late", "time out", "outage", "zombie")


#: How a shard's records are numbered. "repeated": some have the number of the record before them. "missing": some have
#: no number, or one that is none. "not in order": an event has its records in any order; some numbers are repeated.
NUMBERINGS = ("ascending", "ascending", "repeated", "missing", "not in order")

#: Values in place of a sequence number.
NO_NUMBER = (None, "", "none", "-1", 17, "9" * 5_000)


class NumberedRecord(msgspec.Struct, forbid_unknown_fields=True):
    n: str
    at: str


def _valid(place: str) -> bytes:
    """Return a valid record whose time lies some hours before or after that of its neighbours."""
    return b'{"n":"%s","at":"2025-01-15T%02d:00:00"}' % (place.encode(), len(place) * int(place.partition(".")[0]) % 24)


_REJECTED = (
    lambda place: b'{"m":"%s"}' % place.encode(),
    lambda _: b"",
    lambda _: b"\xff\xfe{",
    lambda _: b'{"n":NaN}',
    lambda place: b'{"n":"%s"' % place.encode(),
    lambda place: b'{"n":"%s","n":{}}' % place.encode(),
)


class RandomShard:
    """The records of a shard as Lambda delivers them. A record's place is "5", or "5.2" in an aggregate."""

    def __init__(self, random: Random) -> None:
        rejected_share = random.choice([0.0, 0.05, 0.5, 0.9])
        aggregates = random.choice([0.0, 0.0, 0.2, 1.0])
        pace = random.choice([0.001, 0.4, 700.0])
        self.numbering = random.choice(NUMBERINGS)
        share_of_exceptions = random.choice([0.1, 0.5, 0.95])
        self.records: list[dict[str, Any]] = []
        #: How many user records each of them holds.
        self.counts: list[int] = []
        #: The sequence number of each; if it has none, that of the one before, with which it is stored and delivered.
        self.numbers: list[str] = []
        #: The places of valid and of rejected records.
        self.valid: set[str] = set()
        self.rejected: set[str] = set()
        for n in range(random.randint(1, 60)):
            is_exception = self.numbering != "ascending" and random.random() < share_of_exceptions
            has_number = not (is_exception and self.numbering == "missing")
            is_aggregate = has_number and random.random() < aggregates
            make = self._aggregate if is_aggregate else self._single
            data, count, encoded = make(random, n, rejected_share if has_number else 1.0)
            made = record(data, n, arrival=ARRIVAL + n * pace, encoded=encoded)
            made["kinesis"]["partitionKey"] = str(n)
            self.records.append(made)
            self.counts.append(count)
            self._give_number(random, made, n, is_exception=is_exception)

    def __len__(self) -> int:
        return len(self.records)

    def _give_number(self, random: Random, made: dict[str, Any], n: int, *, is_exception: bool) -> None:
        """Number the record. One without a number belongs to the record before it, or to none."""
        if self.numbering == "missing" and is_exception:
            made["kinesis"]["sequenceNumber"] = random.choice(NO_NUMBER)
            self.numbers.append(self.numbers[-1] if self.numbers else "0")
            return
        made["kinesis"]["sequenceNumber"] = self.numbers[-1] if is_exception and self.numbers else number(n)
        self.numbers.append(made["kinesis"]["sequenceNumber"])

    def is_divided_at(self, index: int) -> bool:
        """True if the records on both sides of the index have one number."""
        return 0 < index < len(self) and self.numbers[index - 1] == self.numbers[index]

    def next_boundary(self, index: int) -> int:
        while self.is_divided_at(index):
            index += 1
        return index

    def event(self, random: Random, start: int, stop: int) -> list[dict[str, Any]]:
        """Return the event of a delivery. Records with one number stay in order even if the event is not."""
        indices = list(range(start, stop))
        if self.numbering == "not in order":
            random.shuffle(indices)
            same = {each: iter(sorted(at for at in indices if self.numbers[at] == each)) for each in set(self.numbers)}
            indices = [next(same[self.numbers[at]]) for at in indices]
        return [self.records[at] for at in indices]

    def _single(self, random: Random, n: int, rejected_share: float) -> tuple[bytes, int, str | None]:
        if random.random() >= rejected_share:
            self.valid.add(str(n))
            return _valid(str(n)), 1, None
        self.rejected.add(str(n))
        if random.random() < 0.1:
            return b"", 1, "not base64!"
        return random.choice(_REJECTED)(str(n)), 1, None

    def _aggregate(self, random: Random, n: int, rejected_share: float) -> tuple[bytes, int, str | None]:
        if random.random() < 0.1:
            self.rejected.add(str(n))
            return random.choice([sealed(b"\xff\xff\xff"), envelope(b"")[:-1]]), 1, None
        users = []
        for subsequence in range(random.choice([random.randint(1, 9), 30])):
            place = f"{n}.{subsequence}"
            good = random.random() >= rejected_share
            (self.valid if good else self.rejected).add(place)
            users.append((_valid(place) if good else random.choice(_REJECTED)(place), place))
        return random.choice([aggregate, envelope])(*users), len(users), None


class DeliveryHistory:
    """One history. `run()` makes its deliveries and checks every result; `check()` checks the store at the end."""

    def __init__(self, seed: str) -> None:
        self.random = random = Random(seed)
        self.shard = RandomShard(random)
        self.mapping = random.choice(MAPPING_KINDS)
        metadata = random.random() < 0.6
        if self.mapping == "falls back":
            metadata = True
        self.size = random.choice([1, 2, 3, 4, 5, 7, 700, "auto"])
        self.options = {
            "batch_size": self.size,
            "format": random.choice(["ndjson", "ndjson", "json", "parquet"]),
            "compression": random.choice([None, None, "gzip"]),
            "layout": random.choice(["flat", "hive"]),
            "add_stream_fields": random.choice([False, True]),
            "max_in_flight": random.choice([1, 3, 16]),
            "max_bytes_in_flight": random.choice([64, 16 * 1024 * 1024]),
        }
        if self.options["format"] == "parquet":
            self.options["compression"] = None
        if self.options["layout"] == "hive":
            self.options["event_time"] = random.choice([None, "at"])
        self.store = ScriptedStore(metadata=metadata)
        #: Keys of objects that are not the batcher's.
        self.foreign: set[str] = set()
        self.has_faults = True
        self.share_of_faults = random.choice([0.0, 0.05, 0.3])
        self.checkpoints = [0]
        #: The end of the furthest delivery, and the furthest checkpoint.
        self.furthest = self.settled = 0
        #: The first record from which on groups may have other edges, and the records that may be stored twice.
        self.misplaced = len(self.shard)
        self.may_be_twice: set[int] = set()
        self.has_duplicates = False
        #: Deliveries that go on although the mapping has given them up.
        self.zombies: list[asyncio.Task[Result]] = []
        self.log: list[str] = []

    def __repr__(self) -> str:
        deliveries = "\n  ".join(self.log)
        kind = f"mapping {self.mapping}, numbers {self.shard.numbering}, metadata {self.store.metadata}"
        return f"{kind}, {self.options}, deliveries:\n  {deliveries}"

    # --- Deliveries ------------------------------------------------------------------------------------

    async def run(self) -> None:
        self.store.script = self._script
        for _ in range(self.random.randint(1, 10)):
            await self._deliver(*self._next_delivery())
        await self._catch_up()

    async def _catch_up(self) -> None:
        """End the faults, and deliver until the checkpoint reaches the end of the shard."""
        self.has_faults = False
        await asyncio.gather(*self.zombies)
        self.store.land_late()
        for _ in range(3 * len(self.shard) + 3):
            start = self.checkpoints[-1]
            if start == len(self.shard):
                return
            await self._deliver(start, self._stop(start, 25))
        raise AssertionError("the mapping does not reach the end of the shard")

    def _next_delivery(self) -> tuple[int, int]:
        random, checkpoints = self.random, self.checkpoints
        if self.mapping == "falls back" and random.random() < 0.4:
            del checkpoints[max(1, len(checkpoints) - random.choice([1, 2, 9])) :]
        if self.mapping == "re-created" and random.random() < 0.2:
            del checkpoints[1:]
        start = checkpoints[-1]
        if self.mapping == "any" and random.random() < 0.5:
            start = random.randint(0, start)
        return start, self._stop(start, random.randint(1, 25))

    def _stop(self, start: int, count: int) -> int:
        if self.mapping in ("repeats", "falls back"):
            return self.shard.next_boundary(min(max(start + count, self.furthest), len(self.shard)))
        return min(start + count, len(self.shard))

    async def _deliver(self, start: int, stop: int) -> None:
        if start == stop:
            return
        self._predict_duplicates(start, stop)
        self.furthest = max(self.furthest, stop)
        fault = self.random.choice(DELIVERY_FAULTS) if self.has_faults and self.random.random() < 0.4 else None
        self.log.append(f"[{start}, {stop}) {fault or ''}")
        self.outage = fault == "outage"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.random.uniform(0.5, 4) if fault == "time out" else None
        # As in a new process, which shares no state with the one before.
        batcher = Batcher(self.store, schema=NumberedRecord, **self.options)
        task = asyncio.ensure_future(batcher.process(self.shard.event(self.random, start, stop), deadline=deadline))
        self.countdown = self.random.randint(1, 12) if fault in ("crash", "crash and land late", "zombie") else -1
        stopped = self.stopped = asyncio.Event()
        await asyncio.wait([task, waiting := asyncio.ensure_future(stopped.wait())], return_when="FIRST_COMPLETED")
        waiting.cancel()
        if not task.done():
            # The mapping counts the batch as failed. A zombie continues all the same.
            self.zombies.append(task)
            if fault != "zombie":
                task.cancel()
                await asyncio.wait([task])
                self.zombies.remove(task)
            if fault == "crash":
                self.store.late.clear()
            return
        assert deadline is None or loop.time() <= deadline + 1e-6, "the result came after the deadline"
        self._check_result(task.result(), start, stop)

    def _check_result(self, result: Result, start: int, stop: int) -> None:
        """Check that the result accounts for every record, and names a record of the delivery or none."""
        received = sum(self.shard.counts[start:stop])
        assert result.received == received == result.stored + result.rejected + result.not_stored
        numbers = self.shard.numbers[start:stop]
        failures = result.batch_item_failures()["batchItemFailures"]
        if result.first_failed is None:
            assert failures == []
            assert result.not_stored == 0
            reached = stop
        else:
            assert failures == [{"itemIdentifier": result.first_failed}]
            assert result.not_stored
            assert result.causes
            # Lambda delivers the whole event again if no record has the number.
            reached = start + (numbers.index(result.first_failed) if result.first_failed in numbers else 0)
        self.log[-1] += f" -> {reached}"
        self.checkpoints.append(reached)
        self.settled = max(self.settled, reached)

    # --- Requests --------------------------------------------------------------------------------

    def _script(self, verb: str, key: str) -> object:
        random = self.random
        if not self.has_faults:
            return None
        if self.store.late and random.random() < 0.2:
            self.store.land_late()
        self.countdown -= 1
        if self.countdown == 0:
            self.stopped.set()
        if self.outage:
            return OSError("503 SlowDown")
        fault = random.choice(FAULTS) if random.random() < self.share_of_faults else None
        if fault == "slow":
            return asyncio.sleep(random.uniform(0.1, 5))
        if fault in ("503", "reset"):
            return OSError(fault)
        if verb == "put" and fault == "conflict":
            return AlreadyExistsError("409 ConditionalRequestConflict")
        if verb == "put" and fault == "collision" and key not in self.store.objects and not self._is_last_key(key):
            self._plant(key)
        return "lost" if fault == "lost" else None

    def _is_last_key(self, key: str) -> bool:
        """Return whether it is the key that follows from the group's own metadata, which no other object can have.

        Of the others each is the beginning of the next, so the shortest one is taken when the longest is tried.
        """
        found = _LONGEST_SUFFIX.search(key)
        return found is not None and f"{key[: found.start(1)]}{found[1][:8]}{found[2]}" not in self.store.objects

    def _plant(self, key: str) -> None:
        """Put a foreign object where ours should be; one of another shard, or of no batcher at all."""
        others = {"shard": "shardId-000000000009", "stream": "s", "first-sequence-number": "1", "layout-version": "1"}
        others |= {"last-sequence-number": "9", "records": "1", "lines": "1", "digest": "0"}
        metadata = others if self.store.metadata and self.random.random() < 0.5 else {}
        self.store.objects[key] = (b'{"n":"of another batcher"}\n', metadata)
        self.foreign.add(key)

    # --- Oracle ----------------------------------------------------------------------------------

    def _predict_duplicates(self, start: int, stop: int) -> None:
        if self.mapping not in ("re-created", "any"):
            return
        store = self.store
        late = {path: (bytes(body), attributes) for path, body, attributes in store.late}
        if any(first < start < after for first, after in self._groups(late | store.objects)):
            self.misplaced = min(self.misplaced, start)
        if not store.metadata and start < self.settled:
            self.misplaced = min(self.misplaced, start)
        if self.shard.is_divided_at(start) or self.shard.is_divided_at(stop):
            self.misplaced = min(self.misplaced, start)
        if stop < self.furthest and (late or self.zombies or self._has_gap()):
            self.misplaced = min(self.misplaced, stop)
        self.may_be_twice.update(range(self.misplaced, self.furthest))

    def _has_gap(self) -> bool:
        covered = {place for first, after in self._groups(self.store.objects) for place in range(first, after)}
        return len(covered) <= max(covered, default=-1)

    def _groups(self, objects: Mapping[str, tuple[bytes, Mapping[str, str] | None]]) -> list[tuple[int, int]]:
        """Return the first record of each group and the one after its last, from its metadata or its lines."""
        groups: dict[str, list[int]] = {}
        for key, (body, metadata) in objects.items():
            if key in self.foreign:
                continue
            if metadata and metadata["first-sequence-number"] in self.shard.numbers:
                numbers = self.shard.numbers
                first, last = (metadata[f"{end}-sequence-number"] for end in ("first", "last"))
                places = [numbers.index(first), len(numbers) - 1 - numbers[::-1].index(last)]
            else:
                places = [int(place.partition(".")[0]) for place in _places(key, body)]
            # Both objects of a group have this part of the name; a longer suffix and the format follow it.
            groups.setdefault(_NAME.search(key)[0], []).extend(places)
        return [(min(places), max(places) + 1) for places in groups.values()]

    def check(self) -> None:
        """Check that each record is stored, and that only the predicted ones are stored twice."""
        for prefix, expected in (("sensor_data/", self.shard.valid), ("rejected/", self.shard.rejected)):
            found = Counter(
                place
                for key, (body, _) in self.store.objects.items()
                if key.startswith(prefix) and key not in self.foreign
                for place in _places(key, body)
            )
            assert set(found) == expected, f"{prefix}: missing or unexpected: {sorted(set(found) ^ expected)}"
            twice = {place for place, count in found.items() if count > 1}
            unpredicted = {place for place in twice if int(place.partition(".")[0]) not in self.may_be_twice}
            assert not unpredicted, f"{prefix}: stored twice, which was not predicted: {sorted(unpredicted)}"
            self.has_duplicates |= bool(twice)


def _places(key: str, body: bytes) -> list[str]:
    if key.endswith(".parquet"):
        return read_parquet(io.BytesIO(body)).read_all().column("n").to_pylist()
    text = gzip.decompress(body) if key.endswith(".gz") else body
    lines = json.loads(text) if text.startswith(b"[") else map(json.loads, text.splitlines())
    return [line["n"] if "n" in line else line["partition_key"] for line in lines]


_LONGEST_SUFFIX = re.compile(r"_([a-z0-9]{32})(\.[^/]*)$")
_NAME = re.compile(r"batch_[^_]+_.{8}")


def run_history(seed: str) -> DeliveryHistory:
    """Run and check the seed's history. A failure raises an AssertionError with the seed and the deliveries."""
    history = DeliveryHistory(seed)
    try:
        run(history.run())
        history.check()
    except Exception as error:
        raise AssertionError(f"history {seed}: {error!r}\n{history!r}") from error
    return history
