"""The records of one shard that were read ahead, between the task that reads and the task that processes."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from truckstream.consumer.reading.actions import Fatal
from truckstream.consumer.reading.shard_buffer import RecordBatch, ShardBuffer
from truckstream.consumer.watching.observer import AggregateBroken, ReadFailed, ReadThrottled, RecordsRead
from truckstream.consumer.watching.stats import ShardCounters, ShardReadStats
from truckstream.kinesis.failures import FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.consumer.reading.actions import Ended
    from truckstream.consumer.running.feeding.prefetch import Prefetch
    from truckstream.consumer.running.shard_context import ShardContext
    from truckstream.kinesis.failures import RequestFailedError
    from truckstream.kinesis.reading.shard_record import ChildShard, RecordsPage

__all__ = ["Feed"]

_logger = logging.getLogger("truckstream.consumer")


class _Response(NamedTuple):
    """A response whose records are being added."""

    size: int
    millis_behind: int
    seconds: float


class Feed:
    """A buffer that one task fills and another empties.

    Args:
        key: the feed's key in the budget.
        context: the shard that is read.
        prefetch: the budget of all feeds.
        max_batch_records: the most records in a batch; None for a whole page.
    """

    def __init__(self, key: str, context: ShardContext, prefetch: Prefetch, max_batch_records: int | None) -> None:
        self.key = key
        self.counters = ShardCounters(context.now())
        #: The shards that follow; None while there is more to read.
        self.children: tuple[ChildShard, ...] | None = None
        #: Whether the position to read from is fixed: with LATEST, records that are put from now on are delivered.
        self.is_positioned = False
        self._context = context
        self._prefetch = prefetch
        self._max_records = max_batch_records
        self._buffer = ShardBuffer()
        self._is_at_tip = False
        # The last response, when it came, and the number of its user records so far.
        self._response = _Response(0, 0, 0.0)
        self._read_at = context.now()
        self._read_records = 0
        # Stands for the aggregates of the last page that are not open yet.
        self._unopened: RecordBatch | None = None
        # The batch that is being processed.
        self._in_hand: RecordBatch | None = None
        self._is_failing = False
        self._is_stopped = False
        self._error: BaseException | None = None
        self._changed = asyncio.Event()

    # --- For the task that reads ------------------------------------------------------------------

    def add_page(self, page: RecordsPage, seconds: float) -> None:
        """Count a response, or an event of a subscription. Its records follow."""
        self._response = _Response(page.size, page.millis_behind, seconds)
        self._read_records = 0
        self._read_at = self._context.now()
        self._is_failing = False
        self.counters.read_page(page.size, page.millis_behind, self._read_at)

    def add(self, batch: RecordBatch) -> None:
        """Add the next user records of the page."""
        batch = batch._replace(read_at=self._read_at)
        self._read_records += len(batch.records)
        self.counters.read_records(len(batch.records), self._context.now())
        self._report(batch)
        self._buffer.add(batch)
        self._unopened = None if batch.is_last else batch._replace(records=[], size=0)
        self._is_at_tip = batch.is_last and not batch.records
        self._changed.set()
        self._prefetch.wake_granted()

    def conclude(self, end: Ended | Fatal, failure: RequestFailedError | None) -> None:
        """Note that the shard was read to its end, or that the service refuses for good.

        `failure` is that of the last call that failed.
        """
        if isinstance(end, Fatal):
            assert failure is not None  # noqa: S101 - it follows a failed call
            self.fail(failure.to_service_error())
            return
        if end.is_gone:
            _logger.warning("%s does not exist any more: its records have expired", self._context.shard_id)
        self.children = end.children
        self._changed.set()

    def fail(self, error: BaseException) -> None:
        """Note that the shard cannot be read any further."""
        self._error = error
        self._changed.set()

    def call_failed(self, failure: RequestFailedError) -> None:
        """Count and report a call that failed."""
        self._prefetch.wake_granted()
        self._is_failing = True
        where = {"stream": self._context.stream_name, "shard": self._context.shard_id}
        if failure.kind is FailureKind.THROTTLED:
            self.counters.throttled += 1
            self._context.report(ReadThrottled(**where))
        else:
            self.counters.failed += 1
            self._context.report(
                ReadFailed(**where, kind=failure.kind.value, code=failure.code, message=failure.message)
            )

    # --- For the task that processes --------------------------------------------------------------

    async def take(self) -> RecordBatch | None:
        """Return the next batch; without records when the tip of the shard is reached; None at the end.

        Raises:
            ServiceError: the shard cannot be read.
        """
        while not self._is_stopped:
            if batch := self._buffer.next_batch(self._max_records):
                self._in_hand = batch
                return batch
            if self._is_at_tip:
                self._is_at_tip = False
                return RecordBatch([], 0, self._buffer.millis_behind or 0)
            if self._error is not None:
                raise self._error
            if self.children is not None:
                return None
            self._changed.clear()
            await self._changed.wait()
        return None

    def release(self, batch: RecordBatch) -> None:
        """Count a batch as processed."""
        self._in_hand = None
        self._prefetch.release(self.key, batch.size)

    @contextmanager
    def blocked_by_others(self) -> Iterator[None]:
        """Let other feeds read on although the batch in hand waits for their records."""
        self._prefetch.set_blocked(self.key, is_blocked=True)
        try:
            yield
        finally:
            self._prefetch.set_blocked(self.key, is_blocked=False)

    def stop(self) -> None:
        """Return no more batches."""
        self._is_stopped = True
        self._changed.set()

    def close(self) -> None:
        """Drop the records that were read ahead."""
        self._prefetch.release(self.key, self._buffer.clear())

    # --- For the statistics -----------------------------------------------------------------------

    def stats(self, owner: str) -> ShardReadStats:
        """Return the shard's statistics."""
        now = self._context.now()
        in_hand = len(self._in_hand.records) if self._in_hand else 0
        return self.counters.snapshot(owner, self._millis_behind(now), len(self._buffer) + in_hand, now)

    def _millis_behind(self, now: float) -> int | None:
        """See `ShardReadStats.millis_behind_latest`."""
        oldest = self._in_hand or self._buffer.oldest or self._unopened
        if oldest is not None:
            return oldest.millis_behind + round(1000 * (now - oldest.read_at))
        behind, read_at = self.counters.millis_behind, self.counters.read_at
        return behind + round(1000 * (now - read_at)) if behind is not None and self._is_failing else behind

    def _report(self, batch: RecordBatch) -> None:
        if not self._context.is_observed:
            return
        where = {"stream": self._context.stream_name, "shard": self._context.shard_id}
        for record in batch.records:
            if record.aggregate_error:
                self._context.report(
                    AggregateBroken(**where, sequence_number=record.sequence_number, reason=record.aggregate_error)
                )
        if batch.is_last:
            size, millis_behind, seconds = self._response
            self._context.report(
                RecordsRead(
                    **where,
                    records=self._read_records,
                    bytes=size,
                    millis_behind_latest=millis_behind,
                    seconds=seconds,
                )
            )
