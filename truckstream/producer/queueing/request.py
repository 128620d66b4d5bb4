"""One PutRecords call under way."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

from truckstream.producer.queueing.outbox import records_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.producer.queueing.outbox import Outbox, Parcel

__all__ = ["Request"]

_outbox: Callable[[Parcel], Outbox] = attrgetter("outbox")
_size: Callable[[Parcel], int] = attrgetter("size")


class Request:
    """Parcels that go in one PutRecords call."""

    __slots__ = ("by_outbox", "entries", "records", "sent_at", "size", "was_last")

    def __init__(self, entries: list[Parcel], sent_at: float) -> None:
        #: What goes, one Kinesis record each.
        self.entries = entries
        self.sent_at = sent_at
        #: Records of the caller's, by outbox and in all.
        self.by_outbox = Counter(map(_outbox, entries))
        if entries[0].members is not None:  # then all are bundles
            for parcel in entries:
                self.by_outbox[parcel.outbox] += records_in(parcel) - 1
        self.records = self.by_outbox.total()
        #: Bytes of data and keys.
        self.size = sum(map(_size, entries))
        #: No more requests could go with this one: what holds the producer back may be their number.
        self.was_last = False

    def __repr__(self) -> str:
        return f"<Request of {self.records} records for {len(self.by_outbox)} shards>"
