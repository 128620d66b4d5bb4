"""Batches on their way to the application's loops, at most one of each shard at a time.

A shard's next batch comes only after a loop has finished the previous one by asking for another. So the order of a
shard is kept however many loops there are. A batch whose loop was left before that, by `break` or by an error, comes
again in the next loop, unless it was checkpointed: nobody has said that it is processed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truckstream.consumer.processing.batch import Batch

__all__ = ["BatchQueue", "OfferedBatch"]


class OfferedBatch:
    """A batch that is offered to the loops. Its future's result is whether one of them has finished it."""

    __slots__ = ("_is_taken", "batch", "finished")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.finished: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._is_taken = False

    def take(self) -> bool:
        """Mark it as taken by a loop. Return False if it was withdrawn."""
        self._is_taken = not self.finished.done()
        return self._is_taken

    def finish(self) -> None:
        """Let the shard go on after this batch."""
        if not self.finished.done():
            self.finished.set_result(True)

    def withdraw(self) -> None:
        """Keep the loops from taking it, unless one has it."""
        if not self._is_taken and not self.finished.done():
            self.finished.set_result(False)

    def give_back(self) -> None:
        """Mark it as left by its loop."""
        self._is_taken = False

    def give_up(self) -> None:
        """Let the shard go on without the loop that has it. Nobody has said that the batch is processed."""
        self.give_back()
        self.withdraw()


class BatchQueue:
    """The batches that no loop has taken yet, the oldest first."""

    def __init__(self) -> None:
        self._offered: deque[OfferedBatch] = deque()
        self._takers: deque[asyncio.Future[OfferedBatch | None]] = deque()
        self._unfinished: set[OfferedBatch] = set()
        self._has_ended = False

    def offer(self, batch: Batch) -> OfferedBatch:
        """Offer a batch to the loops. After `end` it is withdrawn at once."""
        item = OfferedBatch(batch)
        self._unfinished.add(item)
        item.finished.add_done_callback(lambda _: self._unfinished.discard(item))
        if self._has_ended:
            item.withdraw()
        else:
            self._pass_on(item, at_front=False)
        return item

    def put_back(self, item: OfferedBatch) -> None:
        """Return a batch whose loop was left. The next loop takes it first, unless it was checkpointed."""
        item.give_back()
        if item.batch.is_saved:
            item.finish()
        elif self._has_ended:
            item.withdraw()
        elif not item.finished.done():
            self._pass_on(item, at_front=True)

    async def take(self) -> OfferedBatch | None:
        """Return the next batch whose lease is held; None when there will be no more."""
        while (item := self._first_offered() or await self._wait_for_offer()) is not None:
            if item.batch.is_held:  # its process may have stood still since the batch was offered
                return item
            item.give_up()
        return None

    def _first_offered(self) -> OfferedBatch | None:
        while self._offered:
            item = self._offered.popleft()
            if item.take():
                return item
        return None

    async def _wait_for_offer(self) -> OfferedBatch | None:
        if self._has_ended:
            return None
        taker: asyncio.Future[OfferedBatch | None] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        try:
            return await taker
        except asyncio.CancelledError:
            # It may have got a batch in the same turn of the loop.
            if taker.done() and not taker.cancelled() and (passed := taker.result()):
                self.put_back(passed)
            raise

    def end(self) -> None:
        """Withdraw the batches that no loop has taken, and let the loops end."""
        self._has_ended = True
        for item in self._offered:
            item.withdraw()
        self._offered.clear()
        for taker in self._takers:
            if not taker.done():
                taker.set_result(None)
        self._takers.clear()

    def give_up(self) -> None:
        """Wait for no loop any more: the batches that they have are not processed."""
        for item in list(self._unfinished):
            item.give_up()

    def _pass_on(self, item: OfferedBatch, *, at_front: bool) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done() and item.take():
                taker.set_result(item)
                return
        if at_front:
            self._offered.appendleft(item)
        else:
            self._offered.append(item)
