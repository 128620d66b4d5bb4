"""When a failed record goes again: exponential backoff with full jitter that never sleeps past its deadline.

Full jitter draws from the whole interval [0, base * 2**attempt], which spreads competing senders best (Marc
Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). A delay that would reach the deadline is
cut to half of what is left, so that backing off alone never makes a record expire.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, Final

from truckstream.producer.queueing.outbox import records_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from truckstream.producer.queueing.outbox import Outbox, Parcel

__all__ = ["Backoff", "Retries"]

BASE_SECONDS: Final = 0.1
CAP_SECONDS: Final = 5.0


class Backoff:
    """Delays between the attempts at one record."""

    def __init__(self, random: Random, base: float = BASE_SECONDS, cap: float = CAP_SECONDS) -> None:
        self._random = random
        self._base = base
        self._cap = cap

    def retry_at(self, attempts: int, now: float, deadline: float) -> float:
        """The time of the next attempt after `attempts` failed ones, before `deadline` whenever `now` is."""
        longest = min(self._cap, self._base * 2.0 ** min(attempts - 1, 30))
        return now + min(self._random.uniform(0.0, longest), max(0.0, (deadline - now) / 2))


class Retries:
    """Parcels that back off, by the time of their next attempt."""

    __slots__ = ("_heap", "_ties")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Outbox, list[Parcel]]] = []
        self._ties = itertools.count()

    @property
    def next_at(self) -> float:
        """When the first of them is due; infinity if there are none."""
        return self._heap[0][0] if self._heap else math.inf

    def add(self, at: float, outbox: Outbox, parcels: list[Parcel]) -> None:
        """They go to `outbox` again at the time `at`."""
        outbox.backed_off += sum(map(records_in, parcels))
        heapq.heappush(self._heap, (at, next(self._ties), outbox, parcels))

    def take_due(self, now: float) -> Iterator[tuple[Outbox, list[Parcel]]]:
        """Remove those whose time has come, the earliest first."""
        while self._heap and self._heap[0][0] <= now:
            _, _, outbox, parcels = heapq.heappop(self._heap)
            outbox.backed_off -= sum(map(records_in, parcels))
            yield outbox, parcels
