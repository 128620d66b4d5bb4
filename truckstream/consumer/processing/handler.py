"""`run`: the application's handler, called with each batch of a shard in order, or with its keys side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from zlib import crc32

from truckstream.consumer.processing.batch import Batch, checkpoint_of
from truckstream.consumer.processing.handling import mark_handler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from truckstream.consumer.shard_processor import AssignedShard, EndReason
    from truckstream.kinesis.reading.shard_record import ShardRecord

    Handler = Callable[[Batch], Awaitable[None]]

__all__ = ["HandlerProcessor", "split_by_key"]


class HandlerProcessor:
    """Calls the application's handler with the records of one shard.

    Args:
        shard: the shard.
        handler: the application's coroutine function, which gets a batch.
        concurrency: the number of handlers that run at the same time. With more than one, the records that came
            together are divided by their partition keys, and the next ones come when all parts are processed.
        checkpoints_after: whether records are checkpointed when their handlers have returned.
    """

    def __init__(self, shard: AssignedShard, handler: Handler, *, concurrency: int, checkpoints_after: bool) -> None:
        self._shard = shard
        self._handler = handler
        self._concurrency = concurrency
        self._checkpoints_after = checkpoints_after
        self._ends_soon = False

    async def process(self, records: Sequence[ShardRecord], millis_behind: int) -> None:
        """Return when all handlers of these records have returned."""
        if not records or self._ends_soon:
            return
        if self._concurrency == 1:
            await self._handler(Batch(self._shard, records, millis_behind))
        else:
            async with asyncio.TaskGroup() as handlers:
                for part in split_by_key(records, self._concurrency):
                    handlers.create_task(self._handle(Batch(self._shard, part, millis_behind, may_checkpoint=False)))
        if self._checkpoints_after:
            self._shard.note(checkpoint_of(records[-1]))

    async def _handle(self, batch: Batch) -> None:
        mark_handler()
        await self._handler(batch)

    def end_soon(self) -> None:
        """Call no handler any more."""
        self._ends_soon = True

    async def finish(self, reason: EndReason) -> None:
        """Nothing is left to do: the last handler has returned, and its checkpoint is noted."""

    def abandon(self) -> None:
        """Nothing is left to do: the cancelled handler has ended."""


def split_by_key(records: Sequence[ShardRecord], parts: int) -> list[list[ShardRecord]]:
    """Divide records into at most so many parts, none of them empty. All records of a key are in one, in order."""
    found: list[list[ShardRecord]] = [[] for _ in range(parts)]
    for record in records:
        found[crc32(record.partition_key.encode()) % parts].append(record)
    return [part for part in found if part]
