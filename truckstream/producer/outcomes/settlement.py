"""The one place where records get their outcome, and where it is counted.

Invariants:
- A record gets its outcome once.
- The bytes of the budget that are in use are the costs of the records without an outcome.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, cast

from truckstream.producer.outcomes.flush_epochs import FlushEpochs
from truckstream.producer.queueing.outbox import count_records, records_of, unsettled_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.kinesis.responses import RecordResponse
    from truckstream.producer.options import ProducerOptions
    from truckstream.producer.queueing.buffer_budget import BufferBudget
    from truckstream.producer.queueing.outbox import Failure, Outbox, Parcel, QueuedRecord
    from truckstream.producer.queueing.request import Request
    from truckstream.producer.stats import Counters
    from truckstream.producer.watching.event_sink import EventSink

__all__ = ["Settlement"]

_epoch: Callable[[QueuedRecord], int] = attrgetter("epoch")
_maybe_duplicate: Callable[[QueuedRecord], bool] = attrgetter("maybe_duplicate")


class Settlement:
    """Gives records their outcome."""

    def __init__(self, options: ProducerOptions, budget: BufferBudget, counters: Counters, events: EventSink) -> None:
        self._ordered = options.ordered
        self._aggregates = options.aggregate
        self._budget = budget
        self._counters = counters
        self._events = events
        self.epochs = FlushEpochs()
        #: The number of acknowledged records of each outbox.
        self.acked: Counter[Outbox] = Counter()
        #: With `ordered`: called with each record whose outcome may let the next one of its key go.
        self.on_lane_opened: Callable[[QueuedRecord], None]
        self._settled: list[QueuedRecord] = []

    def take(self, limit: int) -> list[QueuedRecord]:
        """Return records that got their outcome since the last call, `limit` at most."""
        settled = self._settled
        self._settled = settled[limit:]
        return settled[:limit]

    def forget_closed(self) -> None:
        """Forget what was counted for outboxes that are closed."""
        self.acked = Counter({outbox: count for outbox, count in self.acked.items() if not outbox.is_closed})

    @property
    def has_settled(self) -> bool:
        """Whether `take` has more records to return."""
        return bool(self._settled)

    def acknowledge(
        self,
        parcels: Sequence[Parcel],
        responses: Sequence[RecordResponse],
        sent_at: float,
        now: float,
        *,
        whole: Request | None = None,
    ) -> None:
        """Settle stored records, many at a time: 0.2 µs a record, and one by one 0.6.

        `whole`: the request whose parcels these are, if they are all of them, and none of its records has expired. What
        it has counted need not be counted again.
        """
        stored = self._assign(parcels, responses, some_expired=whole is None)
        size = whole.size if whole and not self._aggregates else sum([record.size for record in stored])
        self._count_acked(stored)
        self._counters.acked += len(stored)
        self._counters.acked_bytes += size
        are_new = whole is not None and not self._aggregates and not whole.repeated
        duplicates = self._settle(stored, are_new=are_new)
        self._events.acknowledged(stored, size, duplicates, sent_at, now)

    def fail(self, records: list[QueuedRecord], failure: Failure, *, may_come_yet: bool = False) -> None:
        """Settle records that are given up.

        `may_come_yet`: a request with them is still in flight. No later record of their keys may overtake them, so call
        `on_request_ended` for each when that request has ended.
        """
        for record in records:
            record.failure = failure
        self._events.failed(records)
        self._counters.failed += len(records)
        self._settle(records, may_come_yet=may_come_yet)

    def on_request_ended(self, record: QueuedRecord) -> None:
        """Let the later records of a key go: the request has ended that carried the failed `record` of this key."""
        record.outbox.queue.on_outcome(record)
        self.on_lane_opened(record)

    def _assign(
        self, parcels: Sequence[Parcel], responses: Sequence[RecordResponse], *, some_expired: bool
    ) -> list[QueuedRecord]:
        """Set the response of each record of `parcels`, and return the records."""
        if not self._aggregates:
            records = cast("list[QueuedRecord]", list(parcels))  # only aggregation makes bundles
            for record, response in zip(records, responses, strict=True):
                record.response = response
            return records
        stored: list[QueuedRecord] = []
        for parcel, response in zip(parcels, responses, strict=True):
            records = unsettled_of(parcel) if some_expired else records_of(parcel)
            if count_records(parcel) > 1:
                for position, record in enumerate(records_of(parcel)):
                    record.subsequence_number = position
            for record in records:
                record.response = response
            stored += records
        return stored

    def _count_acked(self, stored: Sequence[QueuedRecord]) -> None:
        outboxes = [record.outbox for record in stored]
        if outboxes and outboxes.count(outboxes[0]) == len(outboxes):  # `update` would look each one up
            self.acked[outboxes[0]] += len(outboxes)
        else:
            self.acked.update(outboxes)

    def _settle(self, records: list[QueuedRecord], *, are_new: bool = False, may_come_yet: bool = False) -> int:
        """Account for records that have their outcome. Return how many of them may be duplicates.

        `are_new`: this was the first attempt at each. That, and having one epoch, spare each record a look.
        """
        self._budget.release(sum([record.cost for record in records]))
        duplicates = 0 if are_new else sum(map(_maybe_duplicate, records))
        self._counters.maybe_duplicates += duplicates
        if self.epochs.has_ended_ones:
            for epoch, count in Counter(map(_epoch, records)).items():
                self.epochs.settle(epoch, count)
        else:
            self.epochs.settle(self.epochs.current, len(records))
        if self._ordered and not may_come_yet:
            for record in records:
                self.on_request_ended(record)
        self._settled += records
        return duplicates
