"""Where a group may begin or end, and where it ends: the rules of which records share an object.

- A group may begin or end between two sequence numbers. Lambda knows one sequence number for all user records of an
  aggregate, and for all records that a stream repeats a number for. If a group ended between them and the next group
  failed, Lambda would deliver all of them again, and those that the first group holds would be stored twice.
- A long aggregate is the exception. Its parts are groups of their own, in which no other record is; they begin at the
  same user records in every delivery, and `storing/object_key.py` gives each a key of its own. So a redelivery of the
  whole aggregate finds them by their keys. These are the fixed edges.
- A group ends at the first boundary at which it has enough records, or enough bytes. The bytes are those of user
  records, because only compressed ones can be more than an event holds.

So the end of a group follows from its beginning and the records between, and from nothing before or after it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EVERY_INDEX", "GROUP_BYTES", "Boundaries", "GroupEnd"]

#: A group is full with so many bytes of user records; the worker has the same default.
GROUP_BYTES: Final = 4 * 1024 * 1024


class GroupEnd(NamedTuple):
    """Where a group ends."""

    #: Exclusive.
    stop: int
    #: False if the group ends with the event's records, and would have more if they did not end there.
    is_full: bool


class Boundaries:
    """The indices of an event's records at which a new sequence number begins, and the index after the last record."""

    __slots__ = ("_fixed_edges", "_indices", "_sizes")

    def __init__(
        self, indices: Sequence[int] | None, fixed_edges: Sequence[int] = (), sizes: Sequence[int] | None = None
    ) -> None:
        """Take ascending indices.

        Args:
            indices: from 0 to the number of records; None if every index is a boundary.
            fixed_edges: those of them at which a group always ends.
            sizes: for each index, the bytes of the user records before it; None if they do not matter.
        """
        self._indices = indices
        self._fixed_edges = fixed_edges
        self._sizes = sizes

    def at_or_after(self, index: int) -> int:
        return index if self._indices is None else self._indices[bisect_left(self._indices, index)]

    def at_or_before(self, index: int) -> int:
        return index if self._indices is None else self._indices[bisect_right(self._indices, index) - 1]

    def end_of_group(self, start: int, group_size: int, record_count: int) -> GroupEnd:
        """Return where the group from `start` on ends."""
        full = start + group_size
        if self._sizes is not None:
            full = min(full, bisect_left(self._sizes, self._sizes[start] + GROUP_BYTES))
        end = self.at_or_after(min(full, record_count))
        edge = bisect_right(self._fixed_edges, start)
        if edge < len(self._fixed_edges) and self._fixed_edges[edge] <= end:
            return GroupEnd(self._fixed_edges[edge], is_full=True)
        return GroupEnd(end, is_full=full <= record_count)


#: The boundaries of an event without aggregates.
EVERY_INDEX: Final = Boundaries(None)
