"""The groups of a shard one after the other: holes, overlaps, and an order that contradicts itself.

Sequence numbers are not consecutive, so that a gap between two groups shows nothing. A hole is proved by a group that
names the record before it, if no group holds that record. Where no group names it, as for the first group of an event
of Lambda, the link is unproven: it is counted, and nothing is claimed about it.

A group holds all records of its shard from its first to its last number. Two groups whose numbers overlap therefore
hold some records twice, with one exception: with a ParallelizationFactor above 1 an event has only the records of some
partition keys, and the groups of a shard interleave. The metadata cannot tell these cases apart, so that an overlap is
a question for the contents (`overlap.py`). In an interleaved shard "the record before" is the one before in the same
lane. It may lie within a group of another lane, so there it counts as stored only if a group ends with it, as the
writer's groups do.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from truckstream.data.audit.findings import AuditFinding

if TYPE_CHECKING:
    from truckstream.data.audit.shards.groups import StoredGroupObjects

__all__ = ["CLOCK_TOLERANCE", "MOST_RUNS", "Link", "ShardChain", "UnprovenLink"]

#: Ranges of numbers without a gap that are remembered. Groups whose lanes interleave are a few groups apart.
MOST_RUNS: Final = 1_000

#: Arrival times are approximate, and clocks of a service differ. Seconds.
CLOCK_TOLERANCE: Final = 60.0


class UnprovenLink(msgspec.Struct, frozen=True):
    """Two neighbouring groups between which a missing group would not show."""

    #: The last number of the group before.
    after: str
    first_sequence_number: str
    key: str


class Link(NamedTuple):
    """The facts that follow from a group's place after the groups before it."""

    findings: list[AuditFinding]
    #: Groups before it whose numbers overlap with its own.
    overlaps: list[StoredGroupObjects]
    unproven: UnprovenLink | None


class ShardChain:
    """Takes the groups of one shard in the order of their first numbers."""

    def __init__(self) -> None:
        #: Ranges of numbers that groups hold without a gap.
        self._runs: deque[tuple[int, int]] = deque(maxlen=MOST_RUNS)
        #: Groups that may overlap with later ones.
        self._open: list[StoredGroupObjects] = []
        #: The last numbers of groups, and whether groups have overlapped.
        self._ends: dict[int, None] = {}
        self._interleaves = False
        self._latest_arrival = float("-inf")
        self.groups = 0
        self.proven_links = 0
        self.unproven_links = 0
        #: The record before the first group, if that names one.
        self.begins_after: str | None = None
        #: The first number; the first group of each lane may name a record before it.
        self._begin = 0

    @property
    def first(self) -> str | None:
        return str(self._begin) if self.groups else None

    @property
    def last(self) -> str | None:
        """The greatest number so far."""
        return str(max(last for _, last in self._runs)) if self._runs else None

    def add(self, group: StoredGroupObjects, *, settled: bool) -> Link:
        """Take the next group, and return what its place shows. `settled` as in `AuditFinding.of`."""
        self._open = [each for each in self._open if each.last >= group.first]
        overlaps = [each for each in self._open if not _follows_on(each, group)]
        self._interleaves = self._interleaves or bool(overlaps)
        findings = self._check_time(group)
        unproven = None
        previous = group.previous
        if not self.groups:
            self._begin = group.first
            self.begins_after = None if previous is None else str(previous)
        elif previous is not None and previous >= self._begin and not self._holds(previous):
            findings.append(self._hole(group, previous, settled=settled))
        elif (previous is not None and previous >= self._begin) or any(_follows_on(each, group) for each in self._open):
            self.proven_links += 1
        else:
            self.unproven_links += 1
            unproven = UnprovenLink(str(self.last), str(group.first), group.main.key)
        self._extend(group, is_linked=previous is not None and bool(self._runs) and previous == self._runs[-1][1])
        self._ends[group.last] = None
        if len(self._ends) > MOST_RUNS:
            del self._ends[next(iter(self._ends))]
        self._open.append(group)
        self.groups += 1
        return Link(findings, overlaps, unproven)

    def _holds(self, number: int) -> bool:
        """Whether a group holds the record; true for numbers before those that are remembered."""
        if len(self._runs) == MOST_RUNS and number < self._runs[0][0]:
            return True
        if self._interleaves:
            return number in self._ends or (len(self._ends) == MOST_RUNS and number < next(iter(self._ends)))
        return any(first <= number <= last for first, last in reversed(self._runs))

    def _extend(self, group: StoredGroupObjects, *, is_linked: bool) -> None:
        first, last = group.first, group.last
        if self._runs and (is_linked or first <= self._runs[-1][1]):
            first, last = self._runs[-1][0], max(last, self._runs[-1][1])
            self._runs.pop()
        self._runs.append((first, last))

    def _hole(self, group: StoredGroupObjects, previous: int, *, settled: bool) -> AuditFinding:
        before = max((last for _, last in self._runs if last < previous), default=None)
        main = group.main
        begin = f"after {before}, " if before is not None else ""
        text = f"no object holds the record {previous}, which is before {main.key}: records are missing {begin}up to it"
        return AuditFinding.of("hole", text, main.key, place=main.place, numbers=(before, previous), settled=settled)

    def _check_time(self, group: StoredGroupObjects) -> list[AuditFinding]:
        main = group.main
        behind = self._latest_arrival - main.arrival
        self._latest_arrival = max(self._latest_arrival, main.arrival)
        if behind <= CLOCK_TOLERANCE:
            return []
        text = f"{main.key} has later records than objects whose names are {behind:,.0f} s younger"
        return [AuditFinding.of("out_of_order", text, main.key, place=main.place, numbers=main.numbers)]


def _follows_on(before: StoredGroupObjects, group: StoredGroupObjects) -> bool:
    """Whether a group goes on within the number with which another ends, so that they share no record."""
    return before.last == group.first and group.begins_inside_aggregate
