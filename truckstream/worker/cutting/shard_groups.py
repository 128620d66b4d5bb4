"""The groups of one shard, in waves: groups that are announced together and stored at the same time.

One wave is under way at a time. Its groups are announced in one write, stored in parallel, and saved in one write.
While that takes place, the next records are collected. A wave begins `WAVE_SECONDS` after the previous one, or earlier
if enough records wait to fill it. So the number of writes to the lease table is low: two for a wave. A checkpoint
inside a wave is never written, because it would remove the announcement of the groups after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.worker.cutting.announced_groups import AnnouncedGroups, encode_counts
from truckstream.worker.cutting.group_cutter import CutLimits, GroupCutter, RecordGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.consumer.leases.lease import Checkpoint, PendingCheckpoint
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["MOST_GROUPS", "WAVE_SECONDS", "Problem", "ShardGroups", "Wave"]

#: The groups of a wave. A shard's 2 MiB/s are six groups of 498-byte records a second.
MOST_GROUPS: Final = 16

#: Seconds from wave to wave; as long as the mapping of the Lambda function collects a batch.
WAVE_SECONDS: Final = 5.0


class Problem(NamedTuple):
    """Why the previous owner's announcement cannot be completed as it stands."""

    #: Whether records are lost.
    is_loss: bool
    text: str


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
        start: the checkpoint after which the records begin.
        pending: the announcement of the lease's previous owner.

    Raises:
        UsageError: a later version of the worker wrote the announcement.
    """

    def __init__(self, limits: CutLimits, start: Checkpoint, pending: PendingCheckpoint | None) -> None:
        self._limits = limits
        self._cutter = GroupCutter(limits)
        self._problems: list[Problem] = []
        self._announced: AnnouncedGroups | None = None
        self._has_ended = False
        self._next_wave_time = float("-inf")
        # A checkpoint that was written without removing the announcement has completed it.
        if pending is not None and pending.checkpoint != start:
            self._announced = AnnouncedGroups.of(pending)
            if self._announced is None:
                self._add_problem(f"ignoring the pending checkpoint {pending}, which another program announced")

    def __len__(self) -> int:
        return len(self._cutter) + (len(self._announced.collected) if self._announced else 0)

    @property
    def is_full(self) -> bool:
        """True if the next records must wait for a wave."""
        return self._cutter.bytes >= self._limits.bytes or len(self._cutter) >= MOST_GROUPS * self._limits.records

    @property
    def due_time(self) -> float | None:
        """When a wave will be due if no more records come; None if there will be none."""
        if self._announced is not None or not len(self._cutter):
            return None
        if self._cutter.has_full_group:
            return self._next_wave_time
        return max(self._cutter.due_time or 0.0, self._next_wave_time)

    def add(self, records: Sequence[ShardRecord], now: float) -> None:
        """Take the next records."""
        if self._announced is not None:
            records = self._announced.add(records)
            if self._announced.missing < 0:
                self._add_problem(
                    "there are more records than a previous worker announced, because its checkpoint was moved back. "
                    "Records that are stored already may be stored again."
                )
                records = [*self._announced.collected, *records]
                self._announced = None
        self._cutter.add(records, now)

    def end(self, *, of_shard: bool) -> None:
        """Make the last records due. `of_shard` if the shard has no more records than these."""
        self._has_ended = True
        if of_shard and self._announced is not None:
            self._announced.is_complete = True

    def take_problems(self) -> list[Problem]:
        """Return the problems that were found since the last call."""
        found, self._problems = self._problems, []
        return found

    def next_wave(self, now: float) -> Wave | None:
        """Return the next wave, when the one before is saved; None if no group is complete or due."""
        if self._announced is not None:
            if not self._announced.is_complete:
                return None
            wave = self._announced_wave(self._announced)
            self._announced = None
            if wave is not None:
                return wave
        if now < self._next_wave_time and not self.is_full and not self._has_ended:
            return None
        groups: list[RecordGroup] = []
        size = 0
        while len(groups) < MOST_GROUPS and size < self._limits.bytes:
            group = self._cutter.take_full() or self._take_due(now)
            if group is None:
                break
            groups.append(group)
            size += group.bytes
        if not groups:
            return None
        self._next_wave_time = now + WAVE_SECONDS
        return Wave(groups, is_announced=False)

    def _take_due(self, now: float) -> RecordGroup | None:
        due = self._cutter.due_time
        return self._cutter.take_rest() if due is not None and (self._has_ended or now >= due) else None

    def _announced_wave(self, announced: AnnouncedGroups) -> Wave | None:
        if announced.missing:
            text = (
                f"the stream no longer has {announced.missing} records that a previous worker was storing when it "
                "stopped. Those that it had not stored are lost. Set a longer retention."
            )
            self._problems.append(Problem(is_loss=True, text=text))
        groups = announced.groups()
        return Wave(groups, is_announced=True) if groups else None

    def _add_problem(self, text: str) -> None:
        self._problems.append(Problem(is_loss=False, text=text))
