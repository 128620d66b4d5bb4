"""Where a delivery may be cut: between Kinesis records, never inside an aggregate.

Lambda knows one sequence number for all user records of an aggregate. If an edge lay between them and the second
group failed, the whole aggregate would come again, and what the first group stored of it would be stored twice.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EVERYWHERE", "Edges"]


class Edges:
    """The indices of a delivery's records where a Kinesis record begins, and the delivery's end."""

    __slots__ = ("_places",)

    def __init__(self, places: Sequence[int] | None) -> None:
        """`places` ascend from 0 to the delivery's length; None where every index is an edge."""
        self._places = places

    def at_or_after(self, index: int) -> int:
        return index if self._places is None else self._places[bisect_left(self._places, index)]

    def at_or_before(self, index: int) -> int:
        return index if self._places is None else self._places[bisect_right(self._places, index) - 1]


#: Of a delivery without aggregates.
EVERYWHERE = Edges(None)
