"""One tenure from its beginning to its end: two tasks, one that reads ahead and one that processes.

The end comes in one of four ways:

    shard_end   all records are processed: finish, then the children's leases are made and SHARD_END is written
    hand_over   another worker asks for the lease: finish after the records in hand, then release it
    close       the consumer closes: the same
    lost        another worker has the lease: cancel everything, and write nothing
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

from truckstream.consumer.processing.handling import is_cancelled, mark_handler
from truckstream.consumer.watching.observer import LeaseLost, LeaseReleased, LeaseTaken, RecordsProcessed, ShardEnded
from truckstream.errors import LeaseLostError, ServiceError, StreamNotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from truckstream.consumer.leases.tenure import Tenure
    from truckstream.consumer.running.feeding.feed import Feed
    from truckstream.consumer.running.leased_shard import LeasedShard
    from truckstream.consumer.running.shard_context import ShardContext
    from truckstream.consumer.shard_processor import AssignedShard, EndReason, ShardProcessor
    from truckstream.consumer.upkeep.lease_manager import LeaseManager

    Factory = Callable[[AssignedShard], ShardProcessor]

__all__ = ["ShardRun"]

_logger = logging.getLogger("truckstream.consumer")

#: Seconds between two attempts at writing the end of a shard while the lease table or the stream is in trouble.
END_RETRY_SECONDS: Final = 1.0


class ShardRun:
    """Reads and processes the shard of one tenure.

    Args:
        tenure: the tenure.
        shard: its shard, for the processor.
        feed: the records read ahead.
        read: fills the feed; runs as a task while the processor works.
        factory: makes the processor, once the application has said how it wants its records.
        leases: where the end of the tenure is written.
        context: the shard's names, the clock and the observer.
        follows_children: whether the shards that follow are read, too.
    """

    def __init__(
        self,
        tenure: Tenure,
        shard: LeasedShard,
        feed: Feed,
        read: Callable[[], Awaitable[None]],
        factory: asyncio.Future[Factory],
        leases: LeaseManager,
        context: ShardContext,
        *,
        follows_children: bool,
    ) -> None:
        self.tenure = tenure
        self.feed = feed
        self._shard = shard
        self._read_shard = read
        self._factory = factory
        self._leases = leases
        self._context = context
        self._follows_children = follows_children
        self._processor: ShardProcessor | None = None
        self._stop_reason: EndReason | None = None
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Return when the tenure is over.

        Raises:
            Exception: the processor's exception, or the error that keeps the shard from being read. The lease is still
                held: nothing was written after the last checkpoint.
        """
        mark_handler()
        self._report(LeaseTaken, checkpoint=self.tenure.start.sequence_number)
        reading = asyncio.ensure_future(self._read())
        try:
            await self._process()
            reading.cancel()
            await self._finish(self._stop_reason or "shard_end")
        except LeaseLostError:
            self._abandon()
        except asyncio.CancelledError as error:
            self._abandon()
            if is_cancelled():
                raise
            # Otherwise the shard would stand still, and its lease be renewed for ever.
            text = f"the processing of {self._context.shard_id} ended with a CancelledError"
            raise UsageError(f"{text}: catch it where you await a task that you cancel") from error
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            self.feed.close()

    def stop(self, reason: EndReason) -> None:
        """Finish after the records in hand. The first reason counts."""
        if self._stop_reason is None:
            self._stop_reason = reason
        self.feed.stop()
        self._stopped.set()
        if self._processor is not None:
            self._processor.end_soon()

    async def _read(self) -> None:
        try:
            await self._read_shard()
        except Exception as error:  # a defect must not look like a shard without records
            _logger.exception("reading %s failed unexpectedly", self._context.shard_id)
            self.feed.fail(error)

    async def _process(self) -> None:
        factory = await self._wait_for_factory()
        if factory is None:
            return
        self._processor = factory(self._shard)
        while (batch := await self.feed.take()) is not None:
            if not self.tenure.is_held:
                raise LeaseLostError(self._context.shard_id)
            began = self._context.now()
            try:
                await self._processor.process(batch.records, batch.millis_behind)
            finally:
                self.feed.release(batch)
            if batch.records and self._context.is_observed:
                seconds = self._context.now() - began
                self._report(RecordsProcessed, records=len(batch.records), seconds=seconds)

    async def _wait_for_factory(self) -> Factory | None:
        """Return the application's factory; None if the shard has to be given up before there is one."""
        stopped = asyncio.ensure_future(self._stopped.wait())
        either: set[asyncio.Future[Any]] = {self._factory, stopped}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        return None if self._stop_reason else self._factory.result()

    async def _finish(self, reason: EndReason) -> None:
        if self._processor is not None:
            await self._processor.finish(reason)
        if reason != "shard_end":
            self._release(reason)
            return
        children = self.feed.children or () if self._follows_children else ()
        while True:
            try:
                await self._leases.end_shard(self.tenure, children)
                break
            except StreamNotFoundError:
                raise  # its shards do not exist either, which is not the same as having no records left
            except ServiceError as error:  # a LeaseTableError, too
                _logger.warning("the end of %s cannot be written yet: %s", self._context.shard_id, error)
                await asyncio.sleep(END_RETRY_SECONDS)
        self._report(ShardEnded, children=tuple(child.shard_id for child in children))

    def _release(self, reason: EndReason) -> None:
        def report(release: asyncio.Task[bool]) -> None:
            if not release.cancelled() and release.result():
                self._report(LeaseReleased, reason=reason)
            else:
                self._report(LeaseLost)

        # The run does not wait for it: `Consumer.run` returns when its handlers have, even if the table is down.
        self._leases.release(self.tenure).add_done_callback(report)

    def _abandon(self) -> None:
        if self._processor is not None:
            self._processor.abandon()
        if not self.tenure.is_held:
            self._report(LeaseLost)

    def _report(self, event: type, **fields: object) -> None:
        if self._context.is_observed:
            self._context.report(event(stream=self._context.stream_name, shard=self._context.shard_id, **fields))
