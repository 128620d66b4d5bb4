"""Collect items into chunks of one hour, stream and shard, and replay each chunk as an intent.

Rejected records are few in each object, and one replayed object for each of them would make many small objects.

A target that keeps order gets the chunks one after the other, and all of them when one is full: after a reshard, the
records of a partition key are in two chunks, of which the older must go first.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.data.replay.journal.entries import hour_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.data.replay.execution import Execution
    from truckstream.data.replay.journal.entries import Item
    from truckstream.data.replay.targets.target import Target

__all__ = ["Collector"]

#: A chunk has no more bytes than this, unless a single record has.
_CHUNK_BYTES: Final = 4 * 1024 * 1024

#: Intents that are carried out at the same time, by a target that keeps no order.
_AT_ONCE: Final = 8


class _ChunkKey(NamedTuple):
    hour: str
    stream: str
    shard: str


class Collector:
    """Collects items and replays them.

    Args:
        execution: writes and carries out the intents.
        target: where the records go.
    """

    def __init__(self, execution: Execution, target: Target) -> None:
        self._execution = execution
        self._target = target
        self._chunks: defaultdict[_ChunkKey, list[Item]] = defaultdict(list)
        self._bytes: defaultdict[_ChunkKey, int] = defaultdict(int)
        self._ids: set[str] = set()
        self._tasks: set[asyncio.Task[object]] = set()

    def has(self, record_id: str) -> bool:
        """Return whether a record is collected and not yet in an intent."""
        return record_id in self._ids

    async def add(self, stream: str, shard: str, items: Sequence[Item]) -> None:
        """Collect items of one shard, and replay the chunks that are full."""
        for item in items:
            key = _ChunkKey(hour_of(item.arrival), stream, shard)
            self._chunks[key].append(item)
            self._bytes[key] += len(item.data)
            self._ids.add(item.id)
            if len(self._chunks[key]) < self._target.chunk_records and self._bytes[key] < _CHUNK_BYTES:
                continue
            if self._target.in_order:
                await self._start_all()
            else:
                await self._start(key)

    async def flush(self) -> None:
        """Replay all chunks, and return when they are replayed."""
        await self._start_all()
        while self._tasks:
            await self._wait()

    async def close(self) -> None:
        """Cancel what is under way. The next run finishes it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start_all(self) -> None:
        for key in sorted(self._chunks, key=lambda key: min(item.arrival for item in self._chunks[key])):
            await self._start(key)

    async def _start(self, key: _ChunkKey) -> None:
        items = sorted(
            self._chunks.pop(key), key=lambda item: (int(item.sequence_number), item.subsequence_number or 0)
        )
        del self._bytes[key]
        begun = await self._execution.append(*key, items)
        self._ids.difference_update(item.id for item in items)
        if begun is None:
            return
        if self._target.in_order:
            await self._execution.carry_out(*begun)
            return
        while len(self._tasks) >= _AT_ONCE:
            await self._wait()
        self._tasks.add(asyncio.create_task(self._execution.carry_out(*begun)))

    async def _wait(self) -> None:
        """Wait for some of the tasks, and raise the error of one that failed."""
        done, self._tasks = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
