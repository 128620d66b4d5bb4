"""Records that were put in one turn of the event loop."""

from __future__ import annotations

__all__ = ["Arrivals"]


class Arrivals:
    """Counts the records that were put since the core was called last. They are queued, but not accounted for.

    The core does that for all of them at once, which takes 0.2 µs less for each.
    """

    __slots__ = ("cost", "put_at", "records")

    def __init__(self) -> None:
        self.records = 0
        #: Their bytes of the buffer's budget.
        self.cost = 0
        #: The time of their put. It is that of the turn of the event loop in which they came.
        self.put_at = 0.0
