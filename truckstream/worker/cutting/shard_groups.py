"""The groups of one shard, in waves: groups that are announced together and stored at the same time.

One wave is under way at a time. Its groups are announced in one write, stored in parallel, and saved in one write.
While that takes place, the next records are collected. So the faster a shard is, the more groups a wave has, and the
number of writes to the lease table stays low. A checkpoint inside a wave is never written: it would remove the
announcement of the groups after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from truckstream.worker.cutting.announced_groups import AnnouncedGroups, encode_counts
from truckstream.worker.cutting.group_cutter import CutLimits, GroupCutter, RecordGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.consumer.leases.lease import Checkpoint, PendingCheckpoint
    from truckstream.kinesis.reading.stored_record import StoredRecord

__all__ = ["MOST_GROUPS", "Announcement", "ShardGroups", "Wave"]

#: The groups of a wave. A shard's 2 MiB/s are six groups of 498-byte records a second.
MOST_GROUPS: Final = 16

#: What became of the previous owner's announcement.
Announcement = Literal["none", "collecting", "complete", "trimmed", "other records"]


class Wave(NamedTuple):
    """Consecutive groups, at least one."""

    groups: Sequence[RecordGroup]
    #: True if the previous owner of the lease announced them.
    is_announced: bool

    @property
    def end(self) -> Checkpoint:
        """The checkpoint when all groups are stored."""
        return self.groups[-1].end

    @property
    def note(self) -> bytes:
        """The state of the pending checkpoint."""
        return encode_counts([len(group.records) for group in self.groups])

    @property
    def records(self) -> int:
        return sum(len(group.records) for group in self.groups)


class ShardGroups:
    """Collects the records of a shard and returns its waves, one after the other.

    Args:
        limits: when a group is cut.
        pending: the announcement of the lease's previous owner.

    Raises:
        UsageError: a later version of the worker wrote the announcement.
    """

    def __init__(self, limits: CutLimits, pending: PendingCheckpoint | None = None) -> None:
        self._limits = limits
        self._cutter = GroupCutter(limits)
        self._announced = AnnouncedGroups.of(pending)
        self.announcement: Announcement = "none" if self._announced is None else "collecting"
        #: How many announced records the stream no longer has.
        self.trimmed = 0
        self._has_ended = False

    def __len__(self) -> int:
        return len(self._cutter) + (len(self._announced.collected) if self._announced else 0)

    @property
    def is_full(self) -> bool:
        """True if the next records must wait for a wave."""
        return self._cutter.bytes >= self._limits.bytes or len(self._cutter) >= MOST_GROUPS * self._limits.records

    @property
    def due_time(self) -> float | None:
        """When a group will have waited long enough; None if none waits."""
        return None if self._announced else self._cutter.due_time

    def add(self, records: Sequence[StoredRecord], now: float) -> None:
        """Take the next records."""
        if self._announced is not None:
            records = self._announced.add(records)
            if self._announced.missing < 0:
                self.announcement = "other records"
                records = [*self._announced.collected, *records]
                self._announced = None
        self._cutter.add(records, now)

    def end(self, *, of_shard: bool) -> None:
        """Make the last records due. `of_shard` if the shard has no more records than these."""
        self._has_ended = True
        if of_shard and self._announced is not None:
            self._announced.is_complete = True

    def next_wave(self, now: float) -> Wave | None:
        """Return the next wave, when the one before is saved; None if no group is complete or due."""
        if self._announced is not None:
            if not self._announced.is_complete:
                return None
            wave = self._announced_wave(self._announced)
            self._announced = None
            if wave is not None:
                return wave
        groups: list[RecordGroup] = []
        size = 0
        while len(groups) < MOST_GROUPS and size < self._limits.bytes:
            group = self._cutter.take_full() or self._take_due(now)
            if group is None:
                break
            groups.append(group)
            size += group.bytes
        return Wave(groups, is_announced=False) if groups else None

    def _take_due(self, now: float) -> RecordGroup | None:
        due = self._cutter.due_time
        return self._cutter.take_rest() if due is not None and (self._has_ended or now >= due) else None

    def _announced_wave(self, announced: AnnouncedGroups) -> Wave | None:
        self.trimmed = announced.missing
        self.announcement = "trimmed" if self.trimmed else "complete"
        groups = announced.groups()
        return Wave(groups, is_announced=True) if groups else None
