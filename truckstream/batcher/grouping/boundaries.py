"""Where a group may begin or end: between two sequence numbers, never inside an aggregate.

Lambda knows one sequence number for all user records of an aggregate, and for all records that a stream repeats a
number for. If a group ended between them and the next group failed, Lambda would deliver all of them again, and those
that the first group holds would be stored twice.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EVERY_INDEX", "Boundaries"]


class Boundaries:
    """The indices of an event's records at which a new sequence number begins, and the index after the last record."""

    __slots__ = ("_indices",)

    def __init__(self, indices: Sequence[int] | None) -> None:
        """`indices` ascend from 0 to the number of records; None if every index is a boundary."""
        self._indices = indices

    def at_or_after(self, index: int) -> int:
        return index if self._indices is None else self._indices[bisect_left(self._indices, index)]

    def at_or_before(self, index: int) -> int:
        return index if self._indices is None else self._indices[bisect_right(self._indices, index) - 1]


#: The boundaries of an event without aggregates.
EVERY_INDEX: Final = Boundaries(None)
