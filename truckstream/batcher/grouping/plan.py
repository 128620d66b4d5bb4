"""Which groups may be stored now: the order in which no object can overlap another.

An object's key shows where the object begins, and only the object itself shows where it ends. A redelivery may be
grouped differently from the delivery whose objects it meets, because Lambda adds newer records to it. Its second group
may end early in the store, and then the third must begin where the second ended. So no object may be created before it
is known that no other object covers its first record. Three rules ensure that, and still store groups in parallel:

1. **One by one**: the first group is stored alone. If its object existed before, this is a redelivery: continue where
   that object ends, again with one group alone. The first group that did *not* exist before ends this phase.
2. **In parallel**: then all further full groups at once. If an earlier delivery stored some of them, they have the same
   edges, because of rule 3: from a group that is not stored, every delivery continues in equal steps.
3. **The rest**: the last records, fewer than a full group, only after everything before them is stored. The next
   delivery does not repeat the end of this group, so it must never lie behind a gap. If a group failed, Lambda delivers
   these records again anyway.

A group that fails in the parallel phase stops no other group. A group that fails in the first phase stops the event,
unless its key is found to be free: the parallel phase needs to know no more. If the size of a group depends on the size
of the event (`batch_size="auto"` below a full group), redeliveries repeat no edge; then all groups are stored one by
one (`in_order`).

A group that would end inside an aggregate includes the rest of that aggregate, and a long aggregate is divided into
groups of its own (`boundaries.py`). The end of a group depends on its beginning alone, so the rules still hold. A group
before a long aggregate, or the last one of it, may have fewer records and is full all the same.

Two cases remain: an event that *begins* inside a stored group, and an event that is shorter than an earlier one and
*ends* in a gap of the earlier one. The groups after these places have other edges than the stored ones. Where that can
still be prevented, `storing/group_writer.py` asks Lambda to deliver the records again. Where it cannot, records after
such a place that were delivered before may be stored twice; none before it, and none is lost. Lambda repeats events or
adds to them and does not shorten them, unless the mapping bisects batches or is created again with a smaller batch
size: so neither must be done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from truckstream.batcher.grouping.boundaries import EVERY_INDEX, Boundaries

if TYPE_CHECKING:
    from truckstream.batcher.grouping.boundaries import GroupEnd

__all__ = ["Group", "GroupPlan"]


class Group(NamedTuple):
    """Consecutive records of an event: those from index `start` to `stop`, exclusive. Both are boundaries."""

    start: int
    stop: int


class GroupPlan:
    """Returns each group of an event once, as soon as the outcomes of the earlier groups allow."""

    def __init__(
        self, record_count: int, group_size: int, *, in_order: bool = False, boundaries: Boundaries = EVERY_INDEX
    ) -> None:
        self._record_count = record_count
        self._group_size = group_size
        self._boundaries = boundaries
        self._in_order = in_order
        self._next = 0
        self._one_by_one = True
        self._stopped = False
        self._rest_may_go = True
        self._under_way: set[Group] = set()
        self._remainders: list[Group] = []

    @property
    def one_by_one(self) -> bool:
        """True until the first group that was not stored before."""
        return self._one_by_one

    def take_due(self) -> list[Group]:
        """Return the groups that may be stored now, and that were not returned before."""
        groups, self._remainders = self._remainders, []
        if not self._stopped:
            groups += self._next_alone() if self._one_by_one else self._next_in_parallel()
        self._under_way.update(groups)
        return groups

    def stored(self, group: Group, stop: int, *, is_new: bool) -> None:
        """Note that the group is stored up to `stop`. `is_new` is False if its object existed before."""
        self._under_way.remove(group)
        if self._one_by_one:
            self._next = stop
            self._one_by_one = self._in_order or not is_new
        elif stop < group.stop:
            self._remainders.append(Group(stop, group.stop))

    def failed(self, group: Group, *, key_is_free: bool = False) -> None:
        """Note that the group is not stored. `key_is_free` is True if it is known that its object does not exist."""
        self._under_way.remove(group)
        if self._one_by_one and key_is_free and not self._in_order:
            self._one_by_one = False
            self._next = group.stop
        elif self._one_by_one:
            self._stopped = True
        self._rest_may_go = False

    def _end_of_next(self) -> GroupEnd:
        return self._boundaries.end_of_group(self._next, self._group_size, self._record_count)

    def _next_alone(self) -> list[Group]:
        if self._under_way or self._next >= self._record_count:
            return []
        return [Group(self._next, self._end_of_next().stop)]

    def _next_in_parallel(self) -> list[Group]:
        groups = []
        while self._next < self._record_count and (end := self._end_of_next()).is_full:
            groups.append(Group(self._next, end.stop))
            self._next = end.stop
        all_stored = self._rest_may_go and not (groups or self._under_way or self._remainders)
        if self._next < self._record_count and all_stored:
            groups.append(Group(self._next, self._record_count))
            self._next = self._record_count
        return groups
