"""A lease table behind a network that fails: delays, throttles, and responses that are lost after the write."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from truckstream.errors import LeaseTableError

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from truckstream.consumer.leases.lease import Lease
    from truckstream.consumer.leases.lease_table import LeaseTable

T = TypeVar("T")


class FaultyTable:
    """One worker's connection to `table`. `attempts` is how often a call is made, as by a client that retries."""

    def __init__(self, table: LeaseTable, rng: random.Random, *, attempts: int = 3) -> None:
        self.table = table
        self.names_streams = table.names_streams
        self.rng = rng
        self.attempts = attempts
        self.delay = 0.02
        self.throttled = 0.0
        self.lost = 0.0
        self.is_down = False
        self.reads = 0
        self.writes = 0

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        for attempt in range(self.attempts):
            await asyncio.sleep(self.delay * self.rng.random() * (1 + 10 * attempt))
            if self.is_down or self.rng.random() < self.throttled:
                continue
            result = await call()
            if self.lost:
                await asyncio.sleep(self.delay * self.rng.random())
            if self.rng.random() >= self.lost:
                return result
        raise LeaseTableError("Throttled", "the table does not answer")

    async def open(self) -> None:
        await self.table.open()

    async def close(self) -> None:
        await self.table.close()

    async def read(self) -> list[Lease]:
        self.reads += 1
        return await self._call(self.table.read)

    async def create(self, lease: Lease) -> bool:
        self.writes += 1
        return await self._call(lambda: self.table.create(lease))

    async def replace(self, before: Lease, after: Lease) -> bool:
        self.writes += 1
        return await self._call(lambda: self.table.replace(before, after))

    async def delete(self, lease: Lease) -> bool:
        self.writes += 1
        return await self._call(lambda: self.table.delete(lease))
