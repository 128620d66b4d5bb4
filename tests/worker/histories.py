"""A history of workers that share one shard, made from one seed, and the oracle that checks the store.

The seed decides the shard (valid and rejected records, aggregates, records that come at any time), the workers and
their limits, the store (with metadata or without), the latency and the outcome of every request, and how each worker
ends:

    hand-over       it finishes within its time, or is cut off; then the next worker gets the lease
    kill            its tasks vanish at any await; requests that were on their way may arrive at any later time
    zombie          the next worker gets the lease while it goes on, until a write to the lease is refused
    lease lost      the same, but its consumer notices and abandons the processor

A pause is a zombie whose requests take long. The store's requests may be delayed by minutes and reordered, so that
those of earlier workers arrive in the midst of the work of later ones.

The oracle: no checkpoint is written before all records up to it are stored; at the end each record is stored exactly
once, and nothing else is.
"""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from obstore.exceptions import AlreadyExistsError, GenericError

from tests.batcher.support import ScriptedStore
from tests.virtual_time import run
from tests.worker.support import ModelLease, make_storer, stored
from truckstream.consumer.processing.batch import checkpoint_of
from truckstream.errors import LeaseLostError, LeaseTableError
from truckstream.worker.cutting.group_cutter import CutLimits

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from truckstream.consumer.leases.lease import Checkpoint
    from truckstream.kinesis.reading.shard_record import ShardRecord
    from truckstream.worker.storing.shard_storer import ShardStorer

#: The responses of a request that is disturbed. "conflict" is S3's 409, which obstore raises as if the object existed.
FAULTS = ("503", "throttled", "reset", "lost", "conflict", "slow")

#: How a worker ends.
ENDS = ("hand-over", "kill", "kill", "kill", "zombie", "lease lost")

#: Seconds for a hand-over.
GRACE = 5.0


class NumberedRecord(msgspec.Struct, forbid_unknown_fields=True):
    n: str


def _error(fault: str) -> Exception:
    if fault == "conflict":
        return AlreadyExistsError("Server returned non-2xx status code: 409 Conflict: ")
    if fault == "reset":
        return GenericError("Error performing PUT: HTTP error: connection reset")
    status = "429 Too Many Requests" if fault == "throttled" else "503 Service Unavailable"
    return GenericError(f"Server returned non-2xx status code: {status}: ")


class History:
    """One history. `run` plays it and raises AssertionError if the oracle objects."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.fault_rate = random.choice((0.0, 0.02, 0.1, 0.3))
        self.latency = random.choice((0.01, 0.1, 1.0, 20.0))
        self.records = list(self._make_records(random.randint(1, 120)))
        self.keys = [(int(each.sequence_number), each.subsequence_number or 0) for each in self.records]
        #: When each record can be read, in seconds; they come in bursts.
        burst = random.choice((0.01, 1.0, 30.0))
        times = [random.expovariate(1 / burst) if random.random() < 0.2 else 0.0 for _ in self.records]
        self.available = [sum(times[: at + 1]) for at in range(len(times))]
        self.store = ScriptedStore(self._on_request, metadata=random.random() < 0.7)
        self.lease = ModelLease(script=self._on_lease_write, on_save=self._check_save)
        self.left_alone: list[asyncio.Task[Any]] = []
        self.is_calm = False
        self.ends: list[str] = []
        #: How many workers began with an announcement, and how many requests arrived after their worker's end.
        self.finished_announcements = self.landed_late = 0

    # --- The shard ------------------------------------------------------------------------------

    def _make_records(self, places: int) -> Any:
        bad_rate = self.random.choice((0.0, 0.1, 0.5))
        aggregate_rate = self.random.choice((0.0, 0.1, 0.5))
        for n in range(places):
            if self.random.random() < aggregate_rate:
                for at in range(self.random.randint(1, 12)):
                    yield stored(n, self._data(f"{n}.{at}", bad_rate), at)
            else:
                yield stored(n, self._data(f"{n}.0", bad_rate))

    def _data(self, name: str, bad_rate: float) -> bytes:
        padding = " " * self.random.choice((0, 0, 40))
        return (f'{{"m":"{name}"}}' if self.random.random() < bad_rate else f'{{"n":{padding}"{name}"}}').encode()

    def _page(self, checkpoint: Checkpoint, now: float) -> list[ShardRecord]:
        """Return the next records after a checkpoint, whole aggregates, some of those that can be read now."""
        start = self._place_after(checkpoint)
        stop = min(bisect_right(self.available, now), start + self.random.choice((1, 3, 10, 100)))
        while start < stop < len(self.keys) and self.keys[stop][0] == self.keys[stop - 1][0]:
            stop += 1
        return self.records[start:stop]

    def _place_after(self, checkpoint: Checkpoint) -> int:
        if not checkpoint.sequence_number.isdecimal():
            return 0
        return bisect_right(self.keys, (int(checkpoint.sequence_number), checkpoint.subsequence_number))

    # --- The requests ---------------------------------------------------------------------------

    async def _delay(self) -> None:
        if self.is_calm:
            return
        slow = self.random.random() < self.fault_rate
        await asyncio.sleep(self.random.expovariate(1 / (self.latency * (30 if slow else 1))))

    async def _on_request(self, verb: str, _path: str) -> Any:
        await self._delay()
        if not self.is_calm and self.random.random() < self.fault_rate:
            fault = self.random.choice(FAULTS)
            if fault == "lost":
                return "lost" if verb == "put" else OSError("the response was lost")
            if fault == "slow":
                await asyncio.sleep(self.latency * 50)
            elif fault != "conflict" or verb == "put":
                return _error(fault)
        return None

    async def _on_lease_write(self, verb: str) -> Any:
        await self._delay()
        if not self.is_calm and self.random.random() < self.fault_rate:
            return self.random.choice(("lost", LeaseTableError("ThrottlingException", verb)))
        return None

    def _check_save(self, checkpoint: Checkpoint) -> None:
        saved = self.records[: self._place_after(checkpoint)]
        found = self.stored()
        missing = [name for each in saved if not found[name := _name(each)]]
        assert not missing, f"a checkpoint was written before these records were stored: {missing}"

    def stored(self) -> Counter[str]:
        """Return how often each record is stored, read from the objects."""
        valid = (line["n"] for line in self.store.lines("sensor_data"))
        rejected = (json.loads(line["data"])["m"] for line in self.store.lines("rejected"))
        return Counter([*valid, *rejected])

    # --- The workers ----------------------------------------------------------------------------

    def play(self) -> None:
        run(self._play())
        counted = self.stored()
        wrong = {_name(each): count for each in self.records if (count := counted.pop(_name(each), 0)) != 1}
        assert not wrong, f"records that are not stored once: {wrong}"
        assert not counted, f"unknown records: {counted}"

    async def _play(self) -> None:
        for _ in range(self.random.randint(1, 6)):
            await self._one_worker(self.random.choice(ENDS))
        self.is_calm = self.random.random() < 0.5
        if not self.is_calm:
            await asyncio.sleep(self.random.choice((0, 100)))
        self.is_calm = True
        await self._last_worker()
        # What is still on its way arrives now; then the zombies end.
        await asyncio.sleep(10_000)
        for task in self.left_alone:
            task.cancel()
        await asyncio.gather(*self.left_alone, return_exceptions=True)
        self.store.land_late()

    async def _one_worker(self, end: str) -> None:
        storer, reading = self._start_worker()
        await asyncio.sleep(self.random.expovariate(1 / (self.latency * self.random.choice((1, 5, 30)))))
        self.ends.append(end)
        if end == "hand-over":
            await self._hand_over(storer, reading)
        elif end == "kill":
            await self._kill(storer, reading)
        elif end == "zombie":
            self.left_alone.append(reading)
        else:
            self.left_alone.append(asyncio.create_task(self._abandon_later(storer, reading)))

    def _start_worker(self) -> tuple[ShardStorer, asyncio.Task[None]]:
        random = self.random
        limits = CutLimits(random.choice((1, 3, 7, 20)), random.choice((30, 200, 100_000)), random.choice((0.1, 5, 60)))
        shard = self.lease.assign()
        self.finished_announcements += shard.pending is not None
        storer = make_storer(self.store, shard, limits=limits, schema=NumberedRecord)
        return storer, asyncio.create_task(self._read(storer, shard.start))

    async def _read(self, storer: ShardStorer, checkpoint: Checkpoint) -> None:
        """Pass the records after a checkpoint on until the end of the shard, or until the lease is lost."""
        while self._place_after(checkpoint) < len(self.records):
            await asyncio.sleep(self.random.choice((0.001, 0.2, 2.0)))
            page = self._page(checkpoint, asyncio.get_running_loop().time())
            try:
                await storer.process(page, 0)
            except LeaseLostError:
                storer.abandon()
                return
            if page:
                checkpoint = checkpoint_of(page[-1])

    async def _hand_over(self, storer: ShardStorer, reading: asyncio.Task[None]) -> None:
        storer.end_soon()
        try:
            async with asyncio.timeout(GRACE):
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                await storer.finish("hand_over")
        except (TimeoutError, LeaseLostError):
            storer.abandon()

    async def _kill(self, storer: ShardStorer, reading: asyncio.Task[None]) -> None:
        reading.cancel()
        storer.abandon()
        await asyncio.gather(reading, return_exceptions=True)
        self._land_late_some_time()

    def _land_late_some_time(self) -> None:
        """Let the requests that were on their way arrive at random times, or never."""

        async def land(path: str, body: Any, attributes: Any) -> None:
            await asyncio.sleep(self.random.expovariate(1 / (self.latency * 20)))
            self.landed_late += 1
            self.store.objects.setdefault(path, (bytes(body), dict(attributes or {})))

        async def land_all() -> None:
            await asyncio.sleep(0)  # the tasks that were cancelled have noted their requests by now
            late = [each for each in self.store.late if self.random.random() < 0.7]
            self.store.late.clear()
            await asyncio.gather(*(land(*each) for each in late))

        self.left_alone.append(asyncio.create_task(land_all()))

    async def _abandon_later(self, storer: ShardStorer, reading: asyncio.Task[None]) -> None:
        await asyncio.sleep(self.random.expovariate(1 / (self.latency * 10)))
        await self._kill(storer, reading)

    async def _last_worker(self) -> None:
        storer, reading = self._start_worker()
        await _within(reading)
        await _within(storer.finish("shard_end"))


async def _within(work: Coroutine[Any, Any, None] | asyncio.Task[None]) -> None:
    """Wait for work that must end, if nothing fails any more."""
    async with asyncio.timeout(100_000):
        await work


def _name(record: ShardRecord) -> str:
    value: dict[str, str] = json.loads(record.data)
    return value.get("n") or value["m"]
