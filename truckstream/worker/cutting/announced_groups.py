"""Groups that a previous owner of the lease announced: their note in the lease, and the same cuts again.

Before a worker creates the objects of some groups, it announces the checkpoint of their last record, with a note of how
many records each group has. If it stops before its checkpoint, the next owner finds the announcement. It reads from the
checkpoint to the announced one and cuts there as the note states: so each group has the key and the content that the
previous owner gave it, or may still give it when it wakes.

The counts are applied from the end, because retention may have deleted the oldest records in the meantime. If there are
more records than announced, somebody moved the checkpoint back: then the note belongs to other records.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from truckstream.consumer.processing.batch import checkpoint_of
from truckstream.errors import UsageError
from truckstream.worker.cutting.group_cutter import RecordGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.consumer.leases.lease import Checkpoint, PendingCheckpoint
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["AnnouncedGroups", "decode_counts", "encode_counts"]

#: The version of the note. A later one that changes the meaning gets another number.
_VERSION: Final = 1
_NOTE: Final = re.compile(rb"truckstream\.worker/(\d+) (.*)", re.DOTALL)
_COUNTS: Final = re.compile(rb"[1-9]\d*(,[1-9]\d*)*")


def encode_counts(counts: Sequence[int]) -> bytes:
    """Return the note of groups with so many records each."""
    return b"truckstream.worker/%d %s" % (_VERSION, ",".join(map(str, counts)).encode())


def decode_counts(note: bytes) -> list[int] | None:
    """Return the numbers of records of the groups; None if another program wrote the note.

    Raises:
        UsageError: a later version of the worker wrote it, so that this one does not know the cuts.
    """
    found = _NOTE.fullmatch(note)
    if found is None:
        return None
    if int(found[1]) != _VERSION or not _COUNTS.fullmatch(found[2]):
        raise UsageError(
            f"the pending checkpoint's state is {note!r}, and this version of truckstream reads version {_VERSION}: "
            "run the version that wrote it, which finishes the groups"
        )
    return [int(count) for count in found[2].split(b",")]


class AnnouncedGroups:
    """Collects the records of announced groups."""

    def __init__(self, end: Checkpoint, counts: Sequence[int]) -> None:
        self.end = end
        self._end_place = (int(end.sequence_number), end.subsequence_number)
        self._counts = counts
        self._records: list[ShardRecord] = []
        #: True when no record is missing any more.
        self.is_complete = False

    @classmethod
    def of(cls, pending: PendingCheckpoint | None) -> AnnouncedGroups | None:
        """Return the groups that a pending checkpoint announces; None if it announces none of ours.

        Raises:
            UsageError: see `decode_counts`.
        """
        counts = decode_counts(pending.state) if pending else None
        return cls(pending.checkpoint, counts) if pending and counts else None

    @property
    def missing(self) -> int:
        """How many records have not come yet; less than 0 if the announcement belongs to other records."""
        return sum(self._counts) - len(self._records)

    @property
    def collected(self) -> Sequence[ShardRecord]:
        return self._records

    def add(self, records: Sequence[ShardRecord]) -> Sequence[ShardRecord]:
        """Take the records up to the announced end, and return those after it."""
        stop = bisect_right(records, self._end_place, key=_place)
        self._records += records[:stop]
        self.is_complete = stop < len(records) or bool(stop and checkpoint_of(records[stop - 1]) == self.end)
        return records[stop:]

    def groups(self) -> list[RecordGroup]:
        """Return the groups of the records that came, cut as announced."""
        cut: list[RecordGroup] = []
        stop = len(self._records)
        for count in reversed(self._counts):
            start = max(0, stop - count)
            if start < stop:
                cut.append(RecordGroup.of(self._records[start:stop]))
            stop = start
        return cut[::-1]


def _place(record: ShardRecord) -> tuple[int, int]:
    return int(record.sequence_number), record.subsequence_number or 0
