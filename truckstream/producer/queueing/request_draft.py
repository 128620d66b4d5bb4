"""The content of a request while it is being filled."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.producer.options import ProducerOptions
    from truckstream.producer.queueing.outbox import Outbox, Parcel

__all__ = ["RequestDraft"]

_packing_cost: Callable[[Parcel], int] = attrgetter("packing_cost")


class RequestDraft:
    """Parcels for one request.

    Args:
        options: the producer's options.
        max_record_bytes: the stream's limit on a record's size.
        max_bundled: with `aggregate=True`, no parcel is added after a packing cost of so many records.
        most_held: no more records are looked at when so many had to stay, because their shards had no credit.
    """

    __slots__ = (
        *("_aggregates", "_bundled_left", "_max_batch_bytes", "_max_record_bytes", "_most_held"),
        *("bytes_left", "held", "parcels", "records_left"),
    )

    def __init__(
        self, options: ProducerOptions, max_record_bytes: int, max_bundled: int, *, most_held: float = math.inf
    ) -> None:
        self._aggregates = options.aggregate
        self._max_record_bytes = max_record_bytes
        self._bundled_left = max_bundled
        self._most_held = most_held
        #: Records that moved from the front of a group to their shards' own queues.
        self.held = 0
        self.parcels: list[Parcel] = []
        #: Kinesis records and bytes that may be added.
        self.records_left = options.max_batch_records
        self.bytes_left = self._max_batch_bytes = options.max_batch_bytes

    @property
    def size(self) -> int:
        """The bytes of the parcels."""
        return self._max_batch_bytes - self.bytes_left

    @property
    def has_room(self) -> bool:
        """Whether more may be added, as far as their number is concerned."""
        return self.records_left > 0 and self._bundled_left > 0

    @property
    def may_hold_more(self) -> bool:
        """Whether more records may be looked at, which perhaps have to stay."""
        return self.held < self._most_held

    def add(self, parcels: Sequence[Parcel], size: int) -> None:
        """Add parcels that fit, of `size` bytes in all."""
        self.parcels += parcels
        self.records_left -= len(parcels)
        self.bytes_left -= size

    def take_from(self, outbox: Outbox, now: float) -> bool:
        """Add the parcels that `outbox` may send now. Return False if the next one has more bytes than are left."""
        taken = outbox.take(self.records_left, self._bundled_left, self.bytes_left, self._max_record_bytes, now)
        self.add(taken, sum([parcel.size for parcel in taken]))
        if self._aggregates:
            self._bundled_left -= sum(map(_packing_cost, taken))
        return outbox.first_size() <= self.bytes_left
