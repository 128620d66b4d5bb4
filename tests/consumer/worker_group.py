"""Workers of one application within this process, on virtual time: they join, leave, die and freeze.

The record of everything that was processed is checked at the end, see `check`.
"""

from __future__ import annotations

import asyncio
import functools
import random
from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from tests.consumer.freezing_loop import FreezingLoop
from tests.consumer.local_client import LocalClient, LocalStream
from tests.consumer.support import on_virtual_time
from truckstream.consumer.consumer import Consumer
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.consumer.leases.lease import Lease
    from truckstream.consumer.processing.batch import Batch

LEASE_SECONDS = 10.0


def with_workers(
    test: Callable[..., Any], *, make_loop: Callable[[], FreezingLoop] = FreezingLoop
) -> Callable[..., None]:
    """Run a test on virtual time, on a loop that can freeze and kill workers."""

    @functools.wraps(test)
    async def bury_afterwards(**fixtures: Any) -> None:
        try:
            await test(**fixtures)
        finally:
            asyncio.get_running_loop().bury()

    return on_virtual_time(bury_afterwards, make_loop=make_loop)


class WatchedTable(MemoryTable):
    """Keeps the greatest checkpoint that was acknowledged for each shard, and adds all writes to `trace`."""

    def __init__(self, trace: list[tuple[Any, ...]]) -> None:
        super().__init__()
        self.acknowledged: dict[str, int] = {}
        self._trace = trace

    async def replace(self, before: Lease, after: Lease) -> bool:
        await asyncio.sleep(0.01)
        is_written = await super().replace(before, after)
        self._trace.append((asyncio.get_running_loop().time(), after, is_written))
        if is_written and after.checkpoint.sequence_number.isdigit():
            self.acknowledged[after.shard_id] = int(after.checkpoint.sequence_number)
        return is_written


class Worker:
    """One consumer, and the task that runs its handler."""

    def __init__(self, group: WorkerGroup, faults: float) -> None:
        self._group = group
        self._loop = group.loop
        self._name = f"worker-{len(group.joined)}"
        #: "active", "frozen" or "gone".
        self.state = "active"
        self._was_frozen = False
        client = LocalClient(group.stream, faults=faults, rng=group.rng)
        self.consumer = Consumer(
            client,
            application="lake",
            leases=group.table,
            worker_id=self._name,
            lease_duration=LEASE_SECONDS,
            max_batch_records=group.rng.choice([10, 50, None]),
            checkpoint_interval=group.rng.choice([0.5, 3.0]),
            random=random.Random(group.rng.random()),
        )
        self._task = self._loop.in_worker(self._name, self._run())

    async def _run(self) -> None:
        try:
            await self.consumer.open()
        except ServiceError:
            if not self._was_frozen:
                raise
            self.state = "gone"  # it was frozen for longer than opening may take, and ends as a process would
            return
        try:
            await self.consumer.run(self._handle)
        finally:
            await self.consumer.close()

    async def _handle(self, batch: Batch) -> None:
        assert batch.is_held
        self._group.begin(batch)
        await asyncio.sleep(self._group.rng.choice([0.0, 0.01, 0.3]))
        if batch.is_held:  # an application's work may go on after that; its checkpoint is refused
            self._group.end(batch)

    def raise_failure(self) -> None:
        """Raise the error that ended the worker, if one did."""
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def leave(self) -> None:
        """Stop as on SIGTERM."""
        self.state = "gone"
        self.consumer.stop()
        await self._task

    def die(self) -> None:
        """Stop as on SIGKILL: nothing is finished, and nothing released."""
        self.state = "gone"
        self._loop.kill(self._name)

    def freeze(self) -> None:
        """Stand still as on SIGSTOP."""
        self.state = "frozen"
        self._was_frozen = True
        self._loop.freeze(self._name)

    def thaw(self) -> None:
        """Go on as on SIGCONT."""
        self.state = "active"
        self._loop.wake(self._name)


class WorkerGroup:
    """The workers, their stream and their table."""

    def __init__(self, seed: int, shards: int, trace: list[tuple[Any, ...]] | None = None) -> None:
        self.rng = random.Random(seed)
        self.stream = LocalStream(shards)
        #: Everything that happened, with its time: writes to the table, and the processing of batches.
        self.trace = [] if trace is None else trace
        self.table = WatchedTable(self.trace)
        self.loop = asyncio.get_running_loop()
        assert isinstance(self.loop, FreezingLoop), "decorate the test with `with_workers`"
        #: All workers that ever were.
        self.joined: list[Worker] = []
        #: The sequence numbers whose processing ended, by shard.
        self.processed: defaultdict[str, set[int]] = defaultdict(set)
        #: How often each record was delivered, by its number.
        self.deliveries: Counter[int] = Counter()
        # By shard: the sequence numbers of the records that it stores, and how many of the first are processed.
        self._stored: defaultdict[str, list[int]] = defaultdict(list)
        self._done: Counter[str] = Counter()

    def join(self, *, faults: float = 0.0) -> Worker:
        worker = Worker(self, faults)
        self.joined.append(worker)
        return worker

    def in_state(self, state: str) -> list[Worker]:
        return [worker for worker in self.joined if worker.state == state]

    async def leave(self) -> None:
        """Let all active workers leave, one after the other."""
        for worker in self.in_state("active"):
            await worker.leave()

    @property
    def count(self) -> int:
        return sum(map(len, self.processed.values()))

    def begin(self, batch: Batch) -> None:
        """Check that nothing comes again after its checkpoint, and that nothing is skipped."""
        self.deliveries.update(int(each.data) for each in batch)
        numbers = [int(each.sequence_number) for each in batch]
        self.trace.append((self.loop.time(), "began", batch.shard_id, *numbers))
        acknowledged = self.table.acknowledged.get(batch.shard_id, 0)
        assert numbers[0] > acknowledged, f"{batch.shard_id}: a record came again after its checkpoint"
        stored = self.numbers_of(batch.shard_id)
        at = bisect_left(stored, numbers[0])
        assert stored[at : at + len(numbers)] == numbers, f"{batch.shard_id}: a batch has a gap"
        assert at <= self._count_done(batch.shard_id), f"{batch.shard_id}: earlier records were not processed"
        for parent in self.parents_of(batch.shard_id):
            unread = len(self.numbers_of(parent)) - self._count_done(parent)
            assert not unread, f"{batch.shard_id} began before the end of {parent}"

    def end(self, batch: Batch) -> None:
        self.trace.append((self.loop.time(), "ended", batch.shard_id, len(batch)))
        self.processed[batch.shard_id].update(int(each.sequence_number) for each in batch)

    def numbers_of(self, shard_id: str) -> list[int]:
        """The sequence numbers of all records that a shard stores."""
        shard, known = self._service_shard(shard_id), self._stored[shard_id]
        known += [int(each.sequence_number) for each in shard.read(shard.first_place + len(known), 10_000, 1 << 30)]
        return known

    def _count_done(self, shard_id: str) -> int:
        """How many of the shard's records are processed, up to the first that is not."""
        stored, done = self.numbers_of(shard_id), self.processed[shard_id]
        while self._done[shard_id] < len(stored) and stored[self._done[shard_id]] in done:
            self._done[shard_id] += 1
        return self._done[shard_id]

    def parents_of(self, shard_id: str) -> list[str]:
        return list(self._service_shard(shard_id).parents)

    def _service_shard(self, shard_id: str):  # noqa: ANN202 - the local service's own
        account = self.stream.service.account
        return account.named({"StreamName": "trucks"}, 0.0).shards[shard_id]

    def shares(self) -> list[int]:
        """How many shards that can be read each worker has, the smallest number first."""
        leases = [lease for lease in self.table._leases.values() if not lease.checkpoint.is_ended]
        owners = [lease.owner for lease in leases]
        return sorted(owners.count(owner) for owner in {*owners} - {None})

    async def seconds_until(self, condition: Callable[[], bool]) -> float:
        """Wait for a condition; return how long that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(300):
            while not condition():
                for worker in self.joined:
                    worker.raise_failure()
                await asyncio.sleep(0.1)
        return loop.time() - began

    async def seconds_until_all_is_processed(self) -> float:
        return await self.seconds_until(lambda: self.count == self.stream.total)
