"""Parcels that wait for their backoff to end."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING

from truckstream.producer.queueing.outbox import count_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.producer.queueing.outbox import Outbox, Parcel

__all__ = ["RetryQueue"]


class RetryQueue:
    """Parcels that back off, by the time of their next attempt."""

    __slots__ = ("_heap", "_ties")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Outbox, list[Parcel]]] = []
        self._ties = itertools.count()

    @property
    def next_at(self) -> float:
        """When the first backoff ends; infinity if no parcel backs off."""
        return self._heap[0][0] if self._heap else math.inf

    def add(self, at: float, outbox: Outbox, parcels: list[Parcel]) -> None:
        """Hold `parcels` of `outbox` until the time `at`."""
        outbox.backing_off += sum(map(count_records, parcels))
        heapq.heappush(self._heap, (at, next(self._ties), outbox, parcels))

    def take_due(self, now: float) -> Iterator[tuple[Outbox, list[Parcel]]]:
        """Remove the parcels whose backoff is over, the earliest first."""
        while self._heap and self._heap[0][0] <= now:
            _, _, outbox, parcels = heapq.heappop(self._heap)
            outbox.backing_off -= sum(map(count_records, parcels))
            yield outbox, parcels
