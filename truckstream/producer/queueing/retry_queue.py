"""Parcels that wait for their backoff to end, and for the budget of retries if it limits them."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING

from truckstream.producer.pacing.retry_budget import RetryBudget
from truckstream.producer.queueing.outbox import count_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.producer.queueing.outbox import Outbox, Parcel

__all__ = ["RetryQueue"]


class RetryQueue:
    """Parcels that back off, by the time of their next attempt.

    Parcels that failed together wait as a group. A group that the budget limits may have to wait longer than its
    backoff, but not past its deadline.
    """

    __slots__ = ("_by_deadline", "_free", "_groups", "_limited", "_numbers", "budget")

    def __init__(self) -> None:
        self.budget = RetryBudget()
        self._numbers = itertools.count()
        self._groups: dict[int, tuple[Outbox, list[Parcel]]] = {}
        # Heaps of the groups' times and numbers. The groups that the budget limits are in two of them.
        self._free: list[tuple[float, int]] = []
        self._limited: list[tuple[float, int]] = []
        self._by_deadline: list[tuple[float, int]] = []

    @property
    def next_at(self) -> float:
        """When the first parcels may go; infinity if no parcel backs off."""
        limited_at = max(self._first(self._limited), self.budget.opens_at())
        return min(self._first(self._free), limited_at, self._first(self._by_deadline))

    def add(self, at: float, outbox: Outbox, parcels: list[Parcel], *, budgeted_until: float | None = None) -> None:
        """Hold `parcels` of `outbox` until `at`. If `budgeted_until` is given, the budget may hold them until then."""
        outbox.backing_off += sum(map(count_records, parcels))
        number = next(self._numbers)
        self._groups[number] = (outbox, parcels)
        if budgeted_until is None:
            heapq.heappush(self._free, (at, number))
        else:
            heapq.heappush(self._limited, (at, number))
            heapq.heappush(self._by_deadline, (budgeted_until, number))

    def take_due(self, now: float) -> Iterator[tuple[Outbox, list[Parcel]]]:
        """Remove the parcels that may go, the earliest first."""
        while self._first(self._free) <= now:
            yield self._take(self._free)
        while self._first(self._limited) <= now and self.budget.opens_at() <= now:
            outbox, parcels = self._take(self._limited)
            self.budget.spend(len(parcels), now)
            yield outbox, parcels
        while self._first(self._by_deadline) <= now:
            yield self._take(self._by_deadline)

    def take_all(self) -> Iterator[tuple[Outbox, list[Parcel]]]:
        """Remove all parcels."""
        for heap in (self._free, self._limited):
            while self._first(heap) < math.inf:
                yield self._take(heap)

    def _first(self, heap: list[tuple[float, int]]) -> float:
        """Return the first time in `heap`, without groups that have left; infinity if there is none."""
        while heap and heap[0][1] not in self._groups:
            heapq.heappop(heap)
        return heap[0][0] if heap else math.inf

    def _take(self, heap: list[tuple[float, int]]) -> tuple[Outbox, list[Parcel]]:
        _, number = heapq.heappop(heap)
        outbox, parcels = self._groups.pop(number)
        outbox.backing_off -= sum(map(count_records, parcels))
        return outbox, parcels
