"""Decides for one shard which batches to invoke and when, and tracks their records.

Polls read records into the backlog. Batches are cut from it in the order of the shard and invoked one at a time, and
their records are processed or discarded.

A batch is cut when one of three limits is reached (https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html): its
number of records, the 6 MB of its event, or the end of its window, which begins when its first record starts to wait.
The last records of a closed shard do not wait.

The effect of an invocation's outcome:

    outcome      records  condition            the records
    succeeded                                  are processed
    progressed                                 before the checkpoint are processed; the rest becomes a batch of its own,
                                               or is topped up with newer records; it has all its retries, because
                                               progress resets the count
    failed       several  bisection is on      become two batches, each with the retries that are left: a split uses
                                               none
    failed                retries are left     are retried after a pause that doubles
    failed                no retry is left     are discarded, and the failure document is due

Recorded on AWS: with 3 retries and batches of 3, the last of six records, which always fails, is delivered 5 times:
once in its batch of three, and 1 + 3 times as a batch of its own.

Before each invocation, including the first, records older than the maximum age are discarded.

Decided here, because no source describes it: whether the rest of a batch is topped up (`tail`), and the pauses between
retries (the service documents that it backs off, but not how).

With a parallelization factor, each shard has that many lanes. Each lane has a poller of its own, which gets all records
whose partition keys belong to the lane, and a checkpoint of its own. So the records of one key stay in order. That is
documented by the service; how it assigns keys to lanes is not.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from truckstream.local.mapping.function.discarded_batch import Condition, DiscardedBatch
from truckstream.local.mapping.mapping_settings import PAYLOAD_BYTES, MappingSettings
from truckstream.local.service.state.shard import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.local.mapping.function.batch_outcome import BatchOutcome
    from truckstream.local.mapping.function.lambda_event import EventMaker

__all__ = ["PollerCounts", "ShardPoller"]


class _PendingBatch(msgspec.Struct):
    """Records that are invoked together. `attempts` counts the invocations of exactly these records."""

    records: list[Record]
    attempts: int = 0
    not_before: float = 0.0
    #: Retries that were used, including those of the batch that it was split from.
    retries: int = 0
    #: Newer records may be added.
    is_open: bool = False


class PollerCounts(msgspec.Struct):
    """Counts of the records and invocations."""

    processed: int = 0
    discarded: int = 0
    invocations: int = 0
    failures: int = 0
    retries: int = 0
    #: Seconds between the arrival of the last record of the last batch and that batch's end.
    iterator_age: float = 0.0


class ShardPoller:
    """Decides for one shard, or for one lane of a shard. Times are in seconds since the epoch.

    Args:
        settings: the mapping's settings.
        events: computes the size of a record in an event.
        place: the place of the first record to process.
        now: the time.
        random_choice: with `tail="either"`, decides whether a rest is topped up.
    """

    def __init__(
        self, settings: MappingSettings, events: EventMaker, place: int, now: float, random_choice: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._random_choice = random_choice
        self._events = events
        #: All records before this place are processed or discarded.
        self.position = place
        #: The place from which the next poll reads.
        self.read_from = place
        self.counts = PollerCounts()
        #: Batches that were discarded and are not reported yet.
        self.discarded: list[DiscardedBatch] = []

        self._next_poll = now
        self._shard_ended = False
        self._backlog: deque[Record] = deque()
        self._window_from = now
        # How many of the backlog's first records are known to fit into one event, and the bytes left in it.
        self._fit, self._fit_room = 0, PAYLOAD_BYTES - events.frame_bytes()
        # Batches that were cut and are not settled, the oldest first, and whether the oldest is being invoked.
        self._batches: deque[_PendingBatch] = deque()
        self._is_invoking = False

    def __repr__(self) -> str:
        return f"<ShardPoller at {self.position}: {len(self._backlog)} waiting, {self.in_flight} in flight>"

    @property
    def in_flight(self) -> int:
        """Number of records in the current invocation."""
        return len(self._batches[0].records) if self._is_invoking else 0

    @property
    def is_finished(self) -> bool:
        """Whether the shard is closed and all of its records are processed or discarded."""
        return self._shard_ended and not self._backlog and not self._batches

    # --- Polls -----------------------------------------------------------------------------------

    def wants_poll(self, now: float, *, draining: bool = False) -> bool:
        """Return whether to read now: the backlog fills no batch, and a poll is due or the mapping is draining."""
        waiting = len(self._backlog)
        if self._batches:
            batch = self._batches[0]
            if not batch.is_open or self._is_invoking:
                return False
            waiting += len(batch.records)
        if self._shard_ended or waiting >= self._settings.batch_size:
            return False
        return draining or now >= self._next_poll

    def receive(self, records: Sequence[Record], now: float, *, read_to: int, shard_ended: bool = False) -> None:
        """Take the records that a poll has read.

        Args:
            records: the records.
            now: the time.
            read_to: the place after the last record that was read or has expired unread.
            shard_ended: the shard is closed, and no record follows.
        """
        self._next_poll = now + self._settings.poll_interval_in_seconds
        self._shard_ended = shard_ended
        self.read_from = read_to
        if not self._backlog:
            self._window_from = now
        self._backlog.extend(records)
        if not self._backlog and not self._batches:
            self.position = read_to

    def return_to_checkpoint(self, now: float) -> None:
        """Forget the records that were read and are not settled, because the mapping was disabled; they are read again.

        Must not be called during an invocation.
        """
        self._backlog.clear()
        self._batches.clear()
        self._fit, self._fit_room = 0, PAYLOAD_BYTES - self._events.frame_bytes()
        self._next_poll = now
        self._shard_ended = False
        self.read_from = self.position

    # --- Batches ---------------------------------------------------------------------------------

    def next_batch(self, now: float, *, draining: bool = False) -> list[Record] | None:
        """Return the records to invoke now, if any. The caller must then call `settle`. Draining ends every window."""
        if self._is_invoking:
            return None
        if not self._batches and self._is_cut_due(now, draining=draining):
            self._batches.append(self._cut(now))
        self._discard_aged(now)
        if not self._batches or now < self._batches[0].not_before:
            return None
        self._is_invoking = True
        batch = self._batches[0]
        if batch.is_open:
            self._top_up(batch, now)
        return batch.records

    def next_time(self, now: float) -> float:
        """Return the time to ask again: that of the next poll, or the end of a window or of a pause."""
        times = []
        if self._batches:
            times.append(self._batches[0].not_before)
        elif self._backlog:
            times.append(self._window_from + self._settings.maximum_batching_window_in_seconds)
        if not self._batches and not self._shard_ended:
            times.append(self._next_poll)
        return max(now, min(times)) if times else now

    def _is_cut_due(self, now: float, *, draining: bool) -> bool:
        if not self._backlog:
            return False
        window_end = self._window_from + self._settings.maximum_batching_window_in_seconds
        if draining or self._shard_ended or now >= window_end:
            return True
        count = self._fitting()
        return count == self._settings.batch_size or count < len(self._backlog)

    def _fitting(self) -> int:
        """Return how many records of the backlog fit into one event; at least one.

        The count continues from its last value, so that each record is measured once, however often this is called.
        """
        for record in islice(self._backlog, self._fit, self._settings.batch_size):
            size = self._events.size_of(record)
            if size > self._fit_room and self._fit:
                break
            self._fit += 1
            self._fit_room -= size
        return self._fit

    def _cut(self, now: float) -> _PendingBatch:
        return _PendingBatch(self._take(self._fitting(), now))

    def _take(self, count: int, now: float) -> list[Record]:
        self._window_from = now
        self._fit, self._fit_room = 0, PAYLOAD_BYTES - self._events.frame_bytes()
        return [self._backlog.popleft() for _ in range(count)]

    def _top_up(self, batch: _PendingBatch, now: float) -> None:
        """Add newer records to the rest of a batch, as many as fit."""
        batch.is_open = False
        room = PAYLOAD_BYTES - self._events.frame_bytes() - sum(map(self._events.size_of, batch.records))
        added = 0
        for record in islice(self._backlog, self._settings.batch_size - len(batch.records)):
            room -= self._events.size_of(record)
            if room < 0:
                break
            added += 1
        batch.records += self._take(added, now)

    # --- Outcomes --------------------------------------------------------------------------------

    def settle(self, outcome: BatchOutcome, now: float) -> None:
        """Take the outcome of the current invocation."""
        batch = self._batches[0]
        self._is_invoking = False
        batch.attempts += 1
        self.counts.invocations += 1
        self.counts.iterator_age = now - batch.records[-1].arrival
        if outcome.kind == "succeeded":
            self._finish(batch.records)
            self._batches.popleft()
            return
        self.counts.failures += 1
        if outcome.kind == "progressed":
            self._keep_rest(batch, outcome.checkpoint, now)
        elif self._settings.bisect_batch_on_function_error and len(batch.records) > 1:
            self._halve(batch, now)
        elif batch.retries == self._settings.maximum_retry_attempts:
            self._batches.popleft()
            self._discard(batch, batch.records, "RetryAttemptsExhausted", outcome.function_error, now)
        else:
            batch.retries += 1
            self.counts.retries += 1
            batch.not_before = now + self._pause(batch.retries)

    def _keep_rest(self, batch: _PendingBatch, checkpoint: int, now: float) -> None:
        self._finish(batch.records[:checkpoint])
        self.counts.retries += 1
        is_open = self._tops_up() and len(self._batches) == 1  # a half's rest is followed by the other half
        self._batches[0] = _PendingBatch(batch.records[checkpoint:], not_before=now + self._pause(1), is_open=is_open)

    def _tops_up(self) -> bool:
        tail = self._settings.tail
        return tail == "topped up" or (tail == "either" and self._random_choice())

    def _halve(self, batch: _PendingBatch, now: float) -> None:
        middle = len(batch.records) // 2
        self.counts.retries += 1
        self._batches.popleft()
        for half in (batch.records[middle:], batch.records[:middle]):
            self._batches.appendleft(_PendingBatch(half, retries=batch.retries, not_before=now + self._pause(1)))

    def _pause(self, retry: int) -> float:
        doubled = self._settings.retry_base_in_seconds * 2.0 ** min(retry - 1, 60)
        return min(doubled, self._settings.retry_limit_in_seconds)

    def _discard_aged(self, now: float) -> None:
        age = self._settings.maximum_record_age_in_seconds
        if age == -1 or not self._batches:
            return
        batch = self._batches[0]
        aged = [record for record in batch.records if now - record.arrival > age]
        if aged:
            self._discard(batch, aged, "RecordAgeExceeded", None, now)
            batch.records = batch.records[len(aged) :]
            if not batch.records:
                self._batches.popleft()

    def _discard(
        self, batch: _PendingBatch, records: list[Record], condition: Condition, function_error: str | None, now: float
    ) -> None:
        self.counts.discarded += len(records)
        self.position = records[-1].place + 1
        self.discarded.append(DiscardedBatch(records, condition, batch.attempts, function_error, now))

    def _finish(self, records: list[Record]) -> None:
        self.counts.processed += len(records)
        self.position = records[-1].place + 1
