"""`async for`: the application's own loops over batches or records."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from truckstream.consumer.processing.batch import Batch, checkpoint_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.consumer.processing.batch_queue import BatchQueue, OfferedBatch
    from truckstream.consumer.shard_processor import AssignedShard, EndReason
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["BatchIterator", "IterationProcessor", "RecordIterator"]


class IterationProcessor:
    """Passes the records of one shard to the application's loops.

    Args:
        shard: the shard.
        queue: the batches of all shards.
        checkpoints_after: whether a batch is checkpointed when its loop asks for the next one.
    """

    def __init__(self, shard: AssignedShard, queue: BatchQueue, *, checkpoints_after: bool) -> None:
        self._shard = shard
        self._queue = queue
        self._checkpoints_after = checkpoints_after
        self._offered: OfferedBatch | None = None
        self._ends_soon = False

    async def process(self, records: Sequence[ShardRecord], millis_behind: int) -> None:
        """Return when a loop has finished the records."""
        if not records or self._ends_soon:
            return
        self._offered = self._queue.offer(Batch(self._shard, records, millis_behind))
        # Shielded, because a cancellation must not look like the end of the loop's work on the batch.
        is_processed = await asyncio.shield(self._offered.finished)
        if is_processed and self._checkpoints_after:
            self._shard.note(checkpoint_of(records[-1]))

    def end_soon(self) -> None:
        """Withdraw a batch that no loop has taken."""
        self._ends_soon = True
        if self._offered is not None:
            self._offered.withdraw()

    async def finish(self, reason: EndReason) -> None:
        """Nothing is left to do: the last batch is finished, and its checkpoint noted."""

    def abandon(self) -> None:
        """Wait for no loop any more. One that has a batch can ask `batch.is_held`."""
        self._ends_soon = True
        if self._offered is not None:
            self._offered.give_up()


class BatchIterator:
    """One loop over batches. Its previous batch is finished when it asks for the next one.

    Args:
        queue: the batches of all shards.
        on_end: called when there are no more batches; raises the error that ended the consumer, if there is one.
    """

    def __init__(self, queue: BatchQueue, on_end: Callable[[], None]) -> None:
        self._queue = queue
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._item: OfferedBatch | None = None

    def __aiter__(self) -> BatchIterator:
        return self

    async def __anext__(self) -> Batch:
        if self._item is not None:
            self._item.finish()
            self._item = None
        self._item = await self._queue.take()
        if self._item is None:
            self._on_end()
            raise StopAsyncIteration
        return self._item.batch

    async def aclose(self) -> None:
        """Leave the loop: its present batch comes again, unless it was checkpointed."""
        if self._item is not None:
            item, self._item = self._item, None
            self._queue.put_back(item)

    def __del__(self) -> None:
        if self._item is not None:
            # Garbage is collected in any thread. A loop that has ended needs no batch.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._queue.put_back, self._item)


class RecordIterator:
    """One loop over records. A record is finished when the loop asks for the next one."""

    def __init__(self, batches: BatchIterator) -> None:
        self._batches = batches
        self._batch: Batch | None = None
        self._index = 0

    def __aiter__(self) -> RecordIterator:
        return self

    async def __anext__(self) -> ShardRecord:
        self._index += 1
        if self._batch is None or self._index >= len(self._batch.records):
            self._batch = await anext(self._batches)
            self._index = 0
        return self._batch.records[self._index]

    async def aclose(self) -> None:
        """Leave the loop: its present record comes again, and those after it in its batch."""
        self._leave()
        await self._batches.aclose()

    def __del__(self) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._batch is not None:
            # If its batch comes again, the records before the present one do not.
            self._batch.records = self._batch.records[self._index :]
            self._batch = None
