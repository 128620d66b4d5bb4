"""A history of deliveries to a batcher, made from one seed, and the oracle over its store.

What is drawn: the shard (valid records, refused ones of several kinds, aggregates, broken aggregates, hours between
arrivals), the batcher (group size, format, compression, layout, bounds), the store (with metadata or as poor as a
directory), how the mapping cuts, and what happens to every single request.

How the mapping may cut, and what the batcher promises for it:

    cut          a delivery                                                      promise
    repeats      begins at the checkpoint and has all that any before it had;     once
                 newer records may have joined it: the rest alone, or topped up
    falls back   the same, from an older checkpoint: a failover                   once, with metadata
    re-created   begins at the checkpoint, or at the oldest record where a new     at least once
                 mapping begins, and may be shorter than those before it
    any          begins and ends anywhere up to the checkpoint: bisection         at least once

The duplicates of the last two are named. A delivery is *misplaced* from a place on if

- it begins inside a group that is stored, or lands late;
- it begins before the checkpoint, on a store without metadata: the content cannot tell which refused records an object
  covered behind its last line; or
- it ends before the furthest record that was ever delivered, while the store has a gap, or a PUT is under way.

From there on the edges of its groups need not be those of the store. What lies behind the first such place and had been
delivered before may be stored twice. Nothing else, and nothing where nothing was misplaced.
"""

import asyncio
import gzip
import json
import re
from collections import Counter
from random import Random

import msgspec
from obstore.exceptions import AlreadyExistsError

from tests.batcher.support import ARRIVAL, ScriptedStore, aggregate, number, record, sealed
from tests.virtual_time import run
from truckstream.batcher import Batcher

CUTS = ("repeats", "repeats", "falls back", "re-created", "any")

#: What may become of a request. "conflict" is S3's 409, which obstore raises as if the object existed.
FAULTS = ("503", "reset", "lost", "conflict", "collision", "slow")

#: What may become of a delivery as a whole.
ENDS = ("crash", "crash and land late", "time out", "outage", "zombie")


class Place(msgspec.Struct, forbid_unknown_fields=True):
    n: str
    at: str


def _valid(place):
    """With a time of its own, some hours before or after that of its neighbours."""
    return b'{"n":"%s","at":"2025-01-15T%02d:00:00"}' % (place.encode(), len(place) * int(place.partition(".")[0]) % 24)


_REFUSED = (
    lambda place: b'{"m":"%s"}' % place.encode(),
    lambda _: b"",
    lambda _: b"\xff\xfe{",
    lambda _: b'{"n":NaN}',
    lambda place: b'{"n":"%s"' % place.encode(),
    lambda place: b'{"n":"%s","n":{}}' % place.encode(),
)


class Shard:
    """The records of a shard as Lambda delivers them, and where each is to be found: its place, "5" or "5.2"."""

    def __init__(self, random):
        refused = random.choice([0.0, 0.05, 0.5, 0.9])
        aggregates = random.choice([0.0, 0.0, 0.2, 1.0])
        pace = random.choice([0.001, 0.4, 700.0])
        self.records, self.counts = [], []
        #: The places of valid and of refused records.
        self.valid, self.refused = set(), set()
        for n in range(random.randint(1, 60)):
            made = self._aggregate(random, n, refused) if random.random() < aggregates else None
            data, count, encoded = made or self._single(random, n, refused)
            self.records.append(record(data, n, arrival=ARRIVAL + n * pace, encoded=encoded))
            self.counts.append(count)

    def __len__(self):
        return len(self.records)

    def _single(self, random, n, refused):
        if random.random() >= refused:
            self.valid.add(str(n))
            return _valid(str(n)), 1, None
        self.refused.add(str(n))
        if random.random() < 0.1:
            return b"", 1, "not base64!"
        return random.choice(_REFUSED)(str(n)), 1, None

    def _aggregate(self, random, n, refused):
        if random.random() < 0.1:
            self.refused.add(str(n))
            return sealed(b"\xff\xff\xff"), 1, None
        users = []
        for subsequence in range(random.randint(1, 9)):
            place = f"{n}.{subsequence}"
            good = random.random() >= refused
            (self.valid if good else self.refused).add(place)
            users.append(_valid(place) if good else random.choice(_REFUSED)(place))
        return aggregate(*users), len(users), None


class History:
    """One history. `live()` lives it and judges every answer; `check()` is the oracle over the store."""

    def __init__(self, seed):
        self.random = random = Random(seed)
        self.shard = Shard(random)
        self.cut = random.choice(CUTS)
        metadata = random.random() < 0.6
        if self.cut == "falls back":
            metadata = True
        self.size = random.choice([1, 2, 3, 4, 5, 7, 700, "auto"])
        self.options = {
            "batch_size": self.size,
            "format": random.choice(["ndjson", "ndjson", "json"]),
            "compression": random.choice([None, None, "gzip"]),
            "layout": random.choice(["flat", "hive"]),
            "max_in_flight": random.choice([1, 3, 16]),
            "max_bytes_in_flight": random.choice([64, 16 * 1024 * 1024]),
        }
        if self.options["layout"] == "hive":
            self.options["event_time"] = random.choice([None, "at"])
        self.store = ScriptedStore(metadata=metadata)
        #: Keys of objects that are not the batcher's.
        self.foreign = set()
        self.troubled = True
        self.share_of_faults = random.choice([0.0, 0.05, 0.3])
        self.checkpoints = [0]
        #: The furthest record that was delivered, and the furthest checkpoint.
        self.furthest = self.settled = 0
        #: The lowest place from which on edges need not fit, and the places that may be twice.
        self.misplaced = len(self.shard)
        self.may_be_twice = set()
        self.has_duplicates = False
        #: Deliveries that go on though the mapping has given them up.
        self.zombies = []
        self.log = []

    def __repr__(self):
        deliveries = "\n  ".join(self.log)
        return f"cut {self.cut}, metadata {self.store.metadata}, {self.options}, deliveries:\n  {deliveries}"

    # --- Life ------------------------------------------------------------------------------------

    async def live(self):
        self.store.script = self._script
        for _ in range(self.random.randint(1, 10)):
            await self._deliver(*self._next_cut())
        await self._catch_up()

    async def _catch_up(self):
        """The faults end, and the mapping goes on until it is through."""
        self.troubled = False
        await asyncio.gather(*self.zombies)
        self.store.land_late()
        for _ in range(3 * len(self.shard) + 3):
            start = self.checkpoints[-1]
            if start == len(self.shard):
                return
            await self._deliver(start, self._stop(start, 25))
        raise AssertionError("the mapping does not get through")

    def _next_cut(self):
        random, checkpoints = self.random, self.checkpoints
        if self.cut == "falls back" and random.random() < 0.4:
            del checkpoints[max(1, len(checkpoints) - random.choice([1, 2, 9])) :]
        if self.cut == "re-created" and random.random() < 0.2:
            del checkpoints[1:]
        start = checkpoints[-1]
        if self.cut == "any" and random.random() < 0.5:
            start = random.randint(0, start)
        return start, self._stop(start, random.randint(1, 25))

    def _stop(self, start, count):
        if self.cut in ("repeats", "falls back"):
            return min(max(start + count, self.furthest), len(self.shard))
        return min(start + count, len(self.shard))

    async def _deliver(self, start, stop):
        if start == stop:
            return
        self._name_duplicates(start, stop)
        self.furthest = max(self.furthest, stop)
        end = self.random.choice(ENDS) if self.troubled and self.random.random() < 0.4 else None
        self.log.append(f"[{start}, {stop}) {end or ''}")
        self.outage = end == "outage"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.random.uniform(0.5, 4) if end == "time out" else None
        # A new process knows nothing of the one before.
        batcher = Batcher(self.store, schema=Place, **self.options)
        task = asyncio.ensure_future(batcher.process(self.shard.records[start:stop], deadline=deadline))
        self.countdown = self.random.randint(1, 12) if end in ("crash", "crash and land late", "zombie") else -1
        stopped = self.stopped = asyncio.Event()
        await asyncio.wait([task, waiting := asyncio.ensure_future(stopped.wait())], return_when="FIRST_COMPLETED")
        waiting.cancel()
        if not task.done():
            # The mapping counts the batch as failed. A zombie works on all the same.
            self.zombies.append(task)
            if end != "zombie":
                task.cancel()
                await asyncio.wait([task])
                self.zombies.remove(task)
            if end == "crash":
                self.store.late.clear()
            return
        assert deadline is None or loop.time() <= deadline + 1e-6, "the answer came after the deadline"
        self._judge(task.result(), start, stop)

    def _judge(self, result, start, stop):
        """Every answer accounts for every record, and names one of the delivery's or none."""
        received = sum(self.shard.counts[start:stop])
        assert result.received == received == result.stored + result.rejected + result.not_stored
        numbers = [number(n) for n in range(start, stop)]
        failures = result.batch_item_failures()["batchItemFailures"]
        if result.first_failed is None:
            assert failures == []
            assert result.not_stored == 0
            reached = stop
        else:
            assert failures == [{"itemIdentifier": result.first_failed}]
            assert result.not_stored
            assert result.causes
            reached = start + numbers.index(result.first_failed)
        self.log[-1] += f" -> {reached}"
        self.checkpoints.append(reached)
        self.settled = max(self.settled, reached)

    # --- Requests --------------------------------------------------------------------------------

    def _script(self, verb, key):
        random = self.random
        if not self.troubled:
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
        if verb == "put" and fault == "collision" and key not in self.store.objects:
            self._plant(key)
        return "lost" if fault == "lost" else None

    def _plant(self, key):
        """Somebody else's object where ours should lie; of another shard, or of no batcher at all."""
        others = {"shard": "shardId-000000000009", "stream": "s", "first-sequence-number": "1", "layout-version": "1"}
        others |= {"last-sequence-number": "9", "records": "1", "lines": "1", "digest": "0"}
        metadata = others if self.store.metadata and self.random.random() < 0.5 else {}
        self.store.objects[key] = (b'{"n":"of somebody else"}\n', metadata)
        self.foreign.add(key)

    # --- Oracle ----------------------------------------------------------------------------------

    def _name_duplicates(self, start, stop):
        if self.cut not in ("re-created", "any"):
            return
        store = self.store
        late = {path: (bytes(body), attributes) for path, body, attributes in store.late}
        if any(first < start < after for first, after in self._groups(late | store.objects)):
            self.misplaced = min(self.misplaced, start)
        if not store.metadata and start < self.settled:
            self.misplaced = min(self.misplaced, start)
        if stop < self.furthest and (late or self.zombies or self._has_gap()):
            self.misplaced = min(self.misplaced, stop)
        self.may_be_twice.update(range(self.misplaced, self.furthest))

    def _has_gap(self):
        covered = {place for first, after in self._groups(self.store.objects) for place in range(first, after)}
        return len(covered) <= max(covered, default=-1)

    def _groups(self, objects):
        """From which record to which each of our groups reaches: as its metadata says, or its two objects' lines."""
        groups = {}
        for key, (body, metadata) in objects.items():
            if key in self.foreign:
                continue
            if metadata:
                first, last = (_NUMBERS[metadata[f"{end}-sequence-number"]] for end in ("first", "last"))
                places = [int(first), int(last)]
            else:
                places = [int(place.partition(".")[0]) for place in _places(key, body)]
            # Both objects of a group have its first record's key; the rest of the name is a longer suffix and format.
            groups.setdefault(_NAME.search(key)[0], []).extend(places)
        return [(min(places), max(places) + 1) for places in groups.values()]

    def check(self):
        for prefix, expected in (("sensor_data/", self.shard.valid), ("rejected/", self.shard.refused)):
            found = Counter(
                place
                for key, (body, _) in self.store.objects.items()
                if key.startswith(prefix) and key not in self.foreign
                for place in _places(key, body)
            )
            assert set(found) == expected, f"{prefix}: missing or strange: {sorted(set(found) ^ expected)}"
            twice = {place for place, count in found.items() if count > 1}
            unnamed = {place for place in twice if int(place.partition(".")[0]) not in self.may_be_twice}
            assert not unnamed, f"{prefix}: twice, and not named: {sorted(unnamed)}"
            self.has_duplicates |= bool(twice)


def _places(key, body):
    text = gzip.decompress(body) if key.endswith(".gz") else body
    lines = json.loads(text) if text.startswith(b"[") else map(json.loads, text.splitlines())
    return [line["n"] if "n" in line else _place_of_refused(line) for line in lines]


_NAME = re.compile(r"batch_[^_]+_.{8}")
_NUMBERS = {number(n): str(n) for n in range(60)}


def _place_of_refused(line):
    place = _NUMBERS[line["sequence_number"]]
    return f"{place}.{line['subsequence_number']}" if "subsequence_number" in line else place


def live(seed):
    """Live the seed's history and check it; the history. An AssertionError tells the seed and the history."""
    history = History(seed)
    try:
        run(history.live())
        history.check()
    except Exception as error:
        raise AssertionError(f"history {seed}: {error!r}\n{history!r}") from error
    return history
