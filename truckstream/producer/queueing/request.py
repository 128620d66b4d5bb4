"""One PutRecords request."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

from truckstream.producer.queueing.outbox import count_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.producer.queueing.outbox import Outbox, Parcel

__all__ = ["Request"]

_outbox: Callable[[Parcel], Outbox] = attrgetter("outbox")
_size: Callable[[Parcel], int] = attrgetter("size")


class Request:
    """Parcels that go in one PutRecords call."""

    __slots__ = ("by_outbox", "fills_limit", "parcels", "parcels_by_outbox", "records", "sent_at", "size")

    def __init__(self, parcels: list[Parcel], sent_at: float) -> None:
        #: One for each Kinesis record.
        self.parcels = parcels
        self.sent_at = sent_at
        #: The number of Kinesis records for each outbox.
        self.parcels_by_outbox = Counter(map(_outbox, parcels))
        #: The caller's records: their number for each outbox, and in all.
        self.by_outbox = self.parcels_by_outbox
        if parcels[0].members is not None:  # then all are bundles
            self.by_outbox = Counter(self.parcels_by_outbox)
            for parcel in parcels:
                self.by_outbox[parcel.outbox] += count_records(parcel) - 1
        self.records = self.by_outbox.total()
        #: Bytes of data and keys.
        self.size = sum(map(_size, parcels))
        #: With this request as many were in flight as the concurrency limit allows.
        self.fills_limit = False

    def __repr__(self) -> str:
        return f"<Request of {self.records} records for {len(self.by_outbox)} shards>"
