"""One PutRecords request."""

from __future__ import annotations

import math
from collections import Counter, deque
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from truckstream.kinesis.attempt import Attempt
from truckstream.producer.queueing.outbox import count_records, records_of, unsettled_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.producer.queueing.outbox import Outbox, Parcel, QueuedRecord
    from truckstream.producer.queueing.shard_group import ShardGroup

__all__ = ["GRACE_SECONDS", "Request"]

#: Seconds that an attempt may take after its deadline, while its end is on the way to the core.
GRACE_SECONDS: Final = 1.0

_put_at: Callable[[Parcel | QueuedRecord], float] = attrgetter("put_at")
_size: Callable[[Parcel], int] = attrgetter("size")


class Request:
    """Parcels that go in one PutRecords call."""

    __slots__ = (
        *("_by_age", "_delivery_timeout", "attempt", "deadline", "expires_at", "fills_limit", "groups", "overdue"),
        *("parcels", "records", "repeated", "sent_at", "size", "wakeup_at"),
    )

    def __init__(
        self,
        parcels: list[Parcel],
        sent_at: float,
        delivery_timeout: float,
        groups: Sequence[ShardGroup] = (),
        size: int | None = None,
    ) -> None:
        #: One for each Kinesis record.
        self.parcels = parcels
        self.sent_at = sent_at
        #: The groups that send no other request until this one has ended.
        self.groups = groups
        #: The progress of the call that sends it.
        self.attempt = Attempt()
        #: The number of the caller's records without an outcome.
        self.records = len(parcels)
        if parcels[0].members is not None:  # then all are bundles
            self.records = sum(map(count_records, parcels))
        #: Bytes of data and keys.
        self.size = sum(map(_size, parcels)) if size is None else size
        #: With this request as many were in flight as the concurrency limit allows.
        self.fills_limit = False
        #: The number of parcels that other requests carried before.
        self.repeated = 0
        self._delivery_timeout = delivery_timeout
        # They come nearly sorted, and sorting them is then faster than min and max.
        put_ats = sorted([parcel.put_at for parcel in parcels])
        youngest = put_ats[-1]
        if parcels[0].members is not None:
            youngest = max(max(map(_put_at, records_of(parcel))) for parcel in parcels)
        #: When the attempt must end: at the deadline of its youngest record.
        self.deadline = youngest + delivery_timeout
        #: The deadline of its oldest record; infinity if that is as young as the youngest.
        self.expires_at = self._expiry(put_ats[0])
        #: When a record's deadline, or the end of the grace, comes next.
        self.wakeup_at = min(self.expires_at, self.deadline + GRACE_SECONDS)
        #: Records that failed at their deadlines, while the request may still be received.
        self.overdue: list[QueuedRecord] = []
        self._by_age: deque[tuple[float, int, QueuedRecord]] | None = None

    def parcels_by_outbox(self) -> Counter[Outbox]:
        """Return the number of Kinesis records for each outbox."""
        return Counter([parcel.outbox for parcel in self.parcels])

    def records_by_outbox(self) -> Counter[Outbox]:
        """Return the number of the caller's records without an outcome for each outbox."""
        if self.records == len(self.parcels):
            return self.parcels_by_outbox()
        return Counter(parcel.outbox for parcel in self.parcels for _ in unsettled_of(parcel))

    @property
    def has_expired_records(self) -> bool:
        """Whether some of the records have their outcome already: their deadline passed while it was in flight."""
        return self._by_age is not None

    def take_expired(self, now: float) -> list[QueuedRecord]:
        """Count out, and return, the records past their deadline, except for the youngest."""
        if self._by_age is None:
            self._by_age = _by_age(self.parcels)
        expired: list[QueuedRecord] = []
        while self.expires_at <= now:
            expired.append(self._by_age.popleft()[2])
            self.records -= 1
            self.expires_at = self._expiry(self._by_age[0][0])
        return expired

    def _expiry(self, put_at: float) -> float:
        deadline = put_at + self._delivery_timeout
        return deadline if deadline < self.deadline else math.inf

    def __repr__(self) -> str:
        return f"<Request of {self.records} records for {len(self.parcels_by_outbox())} shards>"


def _by_age(parcels: list[Parcel]) -> deque[tuple[float, int, QueuedRecord]]:
    """Return each record with the time of its put, the oldest first."""
    records = (record for parcel in parcels for record in records_of(parcel))
    return deque(sorted((record.put_at, place, record) for place, record in enumerate(records)))
