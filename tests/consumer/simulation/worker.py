"""A simulated worker: a lease manager, and a reader of the shards that it is given."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.consumer.faulty_table import FaultyTable
from tests.consumer.simulation.oracle import position
from truckstream.consumer.leases.lease import Checkpoint
from truckstream.consumer.upkeep.lease_manager import LeaseManager
from truckstream.errors import LeaseLostError, LeaseTableError

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterator

    from tests.consumer.simulation.oracle import Oracle
    from truckstream.consumer.leases.options import LeaseOptions
    from truckstream.consumer.leases.tenure import Tenure

#: Seconds between two deliveries of a shard.
TICK = 3.0


class SimulatedWorker:
    def __init__(self, name: str, oracle: Oracle, options: LeaseOptions, rng: random.Random) -> None:
        self.name = name
        self.table = FaultyTable(oracle.table, rng)
        self.manager = LeaseManager(self.table, name, options, oracle.stream.list_shards, self, rng)
        self._oracle = oracle
        self._rng = rng
        self._readers: dict[Tenure, asyncio.Task[None]] = {}
        self.refused = 0

    # --- The listener ---------------------------------------------------------------------------

    def began(self, tenure: Tenure) -> None:
        with self._recorded():
            self._oracle.began(self.name, tenure)
        self._readers[tenure] = asyncio.create_task(self._read(tenure))

    def wanted(self, tenure: Tenure) -> None:
        with self._recorded():
            self._oracle.wanted()
            assert tenure.is_wanted

    def lost(self, tenure: Tenure) -> None:
        with self._recorded():
            assert not tenure.is_held
        asyncio.create_task(self._save_late(tenure))  # noqa: RUF006 - the loop outlives it

    # --- The reader -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Start, and again if the table does not answer."""
        while True:
            try:
                await self.manager.start()
            except LeaseTableError:
                await asyncio.sleep(1)
            else:
                return

    async def stop(self) -> None:
        await self.manager.stop(30.0)
        assert not any(tenure.is_held for tenure in self._readers)

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """Keep a failed check, which would be lost in a task or in the manager's log."""
        try:
            yield
        except AssertionError as error:
            self._oracle.errors.append(error)

    async def _read(self, tenure: Tenure) -> None:
        done = int(position(tenure.start))
        shard = self._oracle.stream.shards[tenure.shard_id]
        loop = asyncio.get_running_loop()
        try:
            while tenure.is_held:
                last = shard.records(loop.time())
                with self._recorded():
                    self._oracle.deliver(tenure.shard_id, done + 1, last)
                done = last
                if shard.closed_at is not None:
                    self._oracle.finish(tenure.shard_id)
                    await self._try(
                        lambda: self.manager.end_shard(tenure, self._oracle.stream.children(tenure.shard_id))
                    )
                elif tenure.is_wanted:
                    await asyncio.sleep(60 if self._rng.random() < 0.03 else self._rng.uniform(0, 3))
                    await self._checkpoint(tenure, done)
                    await self._try(lambda: self.manager.release(tenure))
                else:
                    await self._checkpoint(tenure, done)
                    await asyncio.sleep(TICK * self._rng.uniform(0.5, 1.0))
        except LeaseLostError:
            with self._recorded():
                assert not tenure.is_held

    async def _checkpoint(self, tenure: Tenure, done: int) -> None:
        checkpoint, choice = Checkpoint(str(done)), self._rng.random()
        if choice < 0.3:
            await self._try(lambda: self.manager.save(tenure, checkpoint))
        elif choice < 0.9 and done:
            self.manager.note(tenure, checkpoint)

    async def _try(self, call: Callable[[], Awaitable[None]]) -> None:
        try:
            await call()
        except LeaseTableError:
            await asyncio.sleep(0.5)

    async def _save_late(self, tenure: Tenure) -> None:
        try:
            await self.manager.save(tenure, Checkpoint("1"))
        except LeaseLostError:
            self.refused += 1
        else:
            self._oracle.errors.append(AssertionError(f"a late checkpoint of {tenure} was accepted"))
