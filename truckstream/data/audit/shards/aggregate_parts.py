"""The groups of long aggregates: each part of one must be stored.

They share a sequence number, so that the chain between groups does not show whether one in the middle, or the last one,
is missing. Each names its position and the records of the whole aggregate. Objects of earlier versions do not; then
nothing is claimed about their aggregate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.data.audit.findings import AuditFinding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.data.audit.shards.groups import StoredGroupObjects

__all__ = ["AggregateParts"]


class AggregateParts:
    """Takes the groups of a shard, the parts of an aggregate one after the other."""

    def __init__(self) -> None:
        #: The last part of an aggregate that is not known to be complete.
        self._last: StoredGroupObjects | None = None
        #: How many of its records are stored without a gap before it, and how many it has.
        self._stored = self._count = 0
        self._settled = True

    def add(self, group: StoredGroupObjects, *, settled: bool) -> Iterator[AuditFinding]:
        """Take the next group, and yield the holes that it shows. `settled` as in `AuditFinding.of`."""
        if self._last is not None and self._last.first != group.first:
            yield from self.finish()
        if group.part is None:
            self._last = None  # it has the number of the last one, and does not name its place
            return
        start, self._count = group.part
        if self._last is None:
            self._stored = 0
        self._last, self._settled = group, settled
        if start > self._stored:
            yield self._hole(group, start)
        self._stored = max(self._stored, start + group.main.records)

    def finish(self) -> Iterator[AuditFinding]:
        """Note that no part of the last aggregate follows."""
        last, self._last = self._last, None
        if last is not None and self._stored < self._count:
            yield self._hole(last, self._count)

    def _hole(self, group: StoredGroupObjects, stop: int) -> AuditFinding:
        main = group.main
        text = (
            f"no object holds the records {self._stored:,} to {stop - 1:,} of the aggregate {main.first}, of which "
            f"{main.key} holds others"
        )
        return AuditFinding.of("hole", text, main.key, place=main.place, numbers=main.numbers, settled=self._settled)
