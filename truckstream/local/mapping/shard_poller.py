"""The pilot of one shard: what to invoke next, when, and what becomes of the records.

Records come in from polls, wait in the backlog, are cut into a batch, and are settled: processed or discarded. All of
a shard's records are settled in order, and one batch is under way at a time.

A batch is cut when one of three is reached (https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html):
its number of records, the 6 MB of its event, or the end of its window, which begins when the first of its records
waits. A closed shard's last records wait for nothing.

What an invocation's end does:

    verdict      records  condition            the records
    succeeded                                  are processed
    progressed                                 before the checkpoint are processed; the rest is a batch of its own, or
                                               is topped up with newer records; with all its retries, because progress
                                               resets the count
    failed       several  bisection is on      are two batches, each with the retries that are left: a split uses none
    failed                retries are left     come again, after a pause that doubles
    failed                no retry is left     are discarded, and the failure document is due

Recorded on AWS: with 3 retries and batches of 3, the last of six records, always failing, is delivered 5 times: once
in its batch of three, and 1 + 3 times as a batch of its own.

Before each invocation, the first case included, records older than the maximum age are discarded.

Not recorded anywhere, and decided here: when a rest is topped up, and when not (`tail`, by a seeded choice); the pauses
between retries (the service documents that it backs off, and not how).

With a parallelization factor each shard has so many lanes, each with a pilot of its own and every record whose
partition key falls to it. So one key's records stay in order, and each lane has its own checkpoint. The service
documents the former; how it deals keys to lanes it does not say.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from truckstream.local.mapping.function.on_failure import Condition, Discard
from truckstream.local.mapping.mapping_settings import PAYLOAD_BYTES, MappingSettings
from truckstream.local.service.state.shard import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.local.mapping.function.lambda_event import EventMaker
    from truckstream.local.mapping.function.response import Verdict

__all__ = ["Batch", "PilotCounts", "ShardPilot"]


class Batch(msgspec.Struct):
    """Records that are invoked together. `attempts` counts the invocations of just these records."""

    records: list[Record]
    attempts: int = 0
    not_before: float = 0.0
    #: Retries that it has in common with the batch that it was split from.
    retries: int = 0
    #: Newer records may still join it.
    is_open: bool = False


class PilotCounts(msgspec.Struct):
    """What became of the shard's records."""

    processed: int = 0
    discarded: int = 0
    invocations: int = 0
    failures: int = 0
    retries: int = 0
    #: Seconds between the arrival of the last record of the last batch and that batch's end.
    iterator_age: float = 0.0


class ShardPilot:
    """Decides for one shard.

    Args:
        settings: the mapping's.
        events: knows how large a record is in an event.
        place: the first record to process.
        now: the time, in seconds since the epoch, as everywhere here.
        coin: decides where a rest may come alone or topped up.
    """

    def __init__(
        self, settings: MappingSettings, events: EventMaker, place: int, now: float, coin: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._coin = coin
        self._events = events
        #: Every record before this place is processed or discarded.
        self.position = place
        #: Where the next poll reads.
        self.read_from = place
        self.counts = PilotCounts()
        #: Records given up since the shell last took them.
        self.discards: list[Discard] = []

        self._next_poll = now
        self._shard_ended = False
        self._backlog: deque[Record] = deque()
        self._window_from = now
        # How many of the backlog's first records are known to fit into one event, and the bytes that it has left.
        self._fit, self._fit_room = 0, PAYLOAD_BYTES - events.frame_bytes()
        # Batches that were cut and are not settled, the oldest first; and whether that one is under way.
        self._batches: deque[Batch] = deque()
        self._is_flying = False

    def __repr__(self) -> str:
        flying = len(self._batches[0].records) if self._is_flying else 0
        return f"<ShardPilot at {self.position}: {len(self._backlog)} waiting, {flying} in flight>"

    @property
    def in_flight(self) -> int:
        """Records of the invocation under way."""
        return len(self._batches[0].records) if self._is_flying else 0

    @property
    def is_finished(self) -> bool:
        """The shard is closed, and all its records are settled."""
        return self._shard_ended and not self._backlog and not self._batches

    # --- Polls -----------------------------------------------------------------------------------

    def wants_poll(self, now: float, *, hurry: bool = False) -> bool:
        """Whether to read now: a poll is due, and the backlog does not fill a batch yet. `hurry` does not wait."""
        waiting = len(self._backlog)
        if self._batches:
            batch = self._batches[0]
            if not batch.is_open or self._is_flying:
                return False
            waiting += len(batch.records)
        if self._shard_ended or waiting >= self._settings.batch_size:
            return False
        return hurry or now >= self._next_poll

    def receive(self, records: Sequence[Record], now: float, *, read_to: int, shard_ended: bool = False) -> None:
        """What a poll read: up to the place `read_to`, which lies behind records that expired unread, too.

        `shard_ended`: the shard is closed, and nothing follows.
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
        """Forget what was read and is not settled: the mapping was disabled. It is read again, and cut anew.

        Not to be called while a batch is under way.
        """
        self._backlog.clear()
        self._batches.clear()
        self._fit, self._fit_room = 0, PAYLOAD_BYTES - self._events.frame_bytes()
        self._next_poll = now
        self._shard_ended = False
        self.read_from = self.position

    # --- Batches ---------------------------------------------------------------------------------

    def next_batch(self, now: float, *, hurry: bool = False) -> list[Record] | None:
        """The records to invoke now, if any; the shell then owes a `settle`. `hurry` waits for no window."""
        if self._is_flying:
            return None
        if not self._batches and self._is_cut_due(now, hurry=hurry):
            self._batches.append(self._cut(now))
        self._discard_aged(now)
        if not self._batches or now < self._batches[0].not_before:
            return None
        self._is_flying = True
        batch = self._batches[0]
        if batch.is_open:
            self._top_up(batch, now)
        return batch.records

    def next_time(self, now: float) -> float:
        """When to ask again, if nothing happens before: a poll, the end of a window, or of a pause."""
        times = []
        if self._batches:
            times.append(self._batches[0].not_before)
        elif self._backlog:
            times.append(self._window_from + self._settings.maximum_batching_window_in_seconds)
        if not self._batches and not self._shard_ended:
            times.append(self._next_poll)
        return max(now, min(times)) if times else now

    def _is_cut_due(self, now: float, *, hurry: bool) -> bool:
        if not self._backlog:
            return False
        if hurry or self._shard_ended or now >= self._window_from + self._settings.maximum_batching_window_in_seconds:
            return True
        count = self._fitting()
        return count == self._settings.batch_size or count < len(self._backlog)

    def _fitting(self) -> int:
        """How many records of the backlog go into one event; at least one.

        The count goes on from where it stood: each record is measured once, however often a window is looked at.
        """
        for record in islice(self._backlog, self._fit, self._settings.batch_size):
            size = self._events.size_of(record)
            if size > self._fit_room and self._fit:
                break
            self._fit += 1
            self._fit_room -= size
        return self._fit

    def _cut(self, now: float) -> Batch:
        return Batch(self._take(self._fitting(), now))

    def _take(self, count: int, now: float) -> list[Record]:
        self._window_from = now
        self._fit, self._fit_room = 0, PAYLOAD_BYTES - self._events.frame_bytes()
        return [self._backlog.popleft() for _ in range(count)]

    def _top_up(self, batch: Batch, now: float) -> None:
        """Newer records join the rest of a batch, as far as they fit."""
        batch.is_open = False
        room = PAYLOAD_BYTES - self._events.frame_bytes() - sum(map(self._events.size_of, batch.records))
        joining = 0
        for record in islice(self._backlog, self._settings.batch_size - len(batch.records)):
            room -= self._events.size_of(record)
            if room < 0:
                break
            joining += 1
        batch.records += self._take(joining, now)

    # --- Ends ------------------------------------------------------------------------------------

    def settle(self, verdict: Verdict, now: float) -> None:
        """The invocation under way has ended."""
        batch = self._batches[0]
        self._is_flying = False
        batch.attempts += 1
        self.counts.invocations += 1
        self.counts.iterator_age = now - batch.records[-1].arrival
        if verdict.kind == "succeeded":
            self._finish(batch.records)
            self._batches.popleft()
            return
        self.counts.failures += 1
        if verdict.kind == "progressed":
            self._keep_rest(batch, verdict.checkpoint, now)
        elif self._settings.bisect_batch_on_function_error and len(batch.records) > 1:
            self._halve(batch, now)
        elif batch.retries == self._settings.maximum_retry_attempts:
            self._batches.popleft()
            self._discard(batch, batch.records, "RetryAttemptsExhausted", verdict.function_error, now)
        else:
            batch.retries += 1
            self.counts.retries += 1
            batch.not_before = now + self._pause(batch.retries)

    def _keep_rest(self, batch: Batch, checkpoint: int, now: float) -> None:
        self._finish(batch.records[:checkpoint])
        self.counts.retries += 1
        is_open = self._tops_up() and len(self._batches) == 1  # a half's rest is followed by the other half
        self._batches[0] = Batch(batch.records[checkpoint:], not_before=now + self._pause(1), is_open=is_open)

    def _tops_up(self) -> bool:
        tail = self._settings.tail
        return tail == "topped up" or (tail == "either" and self._coin())

    def _halve(self, batch: Batch, now: float) -> None:
        middle = len(batch.records) // 2
        self.counts.retries += 1
        self._batches.popleft()
        for half in (batch.records[middle:], batch.records[:middle]):
            self._batches.appendleft(Batch(half, retries=batch.retries, not_before=now + self._pause(1)))

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
        self, batch: Batch, records: list[Record], condition: Condition, function_error: str | None, now: float
    ) -> None:
        self.counts.discarded += len(records)
        self.position = records[-1].place + 1
        self.discards.append(Discard(records, condition, batch.attempts, function_error, now))

    def _finish(self, records: list[Record]) -> None:
        self.counts.processed += len(records)
        self.position = records[-1].place + 1
