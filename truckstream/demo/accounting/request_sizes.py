"""Count the producer's requests by the number of records in them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from truckstream.producer import ProducerObserver

if TYPE_CHECKING:
    from truckstream.producer import BatchSent

__all__ = ["RequestSizes"]


class RequestSizes(ProducerObserver):
    """The sizes of the requests that a producer has sent."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def batch_sent(self, event: BatchSent) -> None:
        self._counts[event.records] += 1

    def counts(self) -> dict[int, int]:
        """Return the number of requests by size, the smallest first."""
        return dict(sorted(self._counts.items()))
