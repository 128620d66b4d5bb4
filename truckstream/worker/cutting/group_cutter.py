"""Cut a shard's records into groups: by count, by bytes and by time.

A group is full at the first boundary at which it has enough records or bytes. A boundary lies between two sequence
numbers, so an aggregate is never split. The exception is that of the batcher: an aggregate or an envelope with more
records or bytes than a group makes groups of its own. A group that waits too long for more records is cut as it is.

Only the last kind of cut depends on a clock, but no cut is derived again: the worker announces each one
(`announced_groups.py`). So a change of the limits, or another machine's clock, never moves a cut.

The consumer delivers all user records of an aggregate at once. If it did not, a group could end inside an aggregate.
Nothing would be lost or stored twice, because checkpoints have subsequence numbers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from truckstream.consumer.processing.batch import checkpoint_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.consumer.leases.lease import Checkpoint
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["CutLimits", "GroupCutter", "RecordGroup"]


class CutLimits(NamedTuple):
    """When a group is cut."""

    records: int = 700
    #: Bytes of the records' data.
    bytes: int = 4 * 1024 * 1024
    #: Seconds that a group's first record waits for more.
    wait: float = 60.0


class RecordGroup(NamedTuple):
    """Consecutive records of a shard, at least one, that are stored together."""

    records: Sequence[ShardRecord]
    bytes: int

    @property
    def end(self) -> Checkpoint:
        """The checkpoint of the last record."""
        return checkpoint_of(self.records[-1])

    @classmethod
    def of(cls, records: Sequence[ShardRecord]) -> RecordGroup:
        return cls(records, sum(len(record.data) for record in records))


class GroupCutter:
    """Holds the records that no group has yet, in the order of the shard."""

    def __init__(self, limits: CutLimits) -> None:
        self._limits = limits
        self._records: list[ShardRecord] = []
        #: How many records came at a time, for the records above.
        self._arrivals: deque[tuple[int, float]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def add(self, records: Sequence[ShardRecord], now: float) -> None:
        """Take the next records."""
        if records:
            self._records += records
            self._arrivals.append((len(records), now))
            self.bytes += sum(len(record.data) for record in records)

    @property
    def due_time(self) -> float | None:
        """When the first record will have waited long enough; None without records."""
        return self._arrivals[0][1] + self._limits.wait if self._arrivals else None

    @property
    def has_full_group(self) -> bool:
        """Whether `take_full` will return a group."""
        is_rest = bool(self._records and self._records[0].subsequence_number)
        return is_rest or len(self._records) >= self._limits.records or self.bytes >= self._limits.bytes

    def take_full(self) -> RecordGroup | None:
        """Remove and return the next full group; None if there is none."""
        if not self.has_full_group:
            return None
        sizes = list(accumulate(len(record.data) for record in self._records[: self._limits.records]))
        count = min(bisect_left(sizes, self._limits.bytes) + 1, self._limits.records)
        if self._records[0].subsequence_number:  # the rest of a long aggregate
            stop = self._end_of_place(1)
            return self._take(min(stop, count) if self._is_one_aggregate(0, stop) else stop)
        return self._take(self._end_of_group(count))

    def take_rest(self) -> RecordGroup | None:
        """Remove and return all records, to be called when no group is full; None without records."""
        return self._take(len(self._records)) if self._records else None

    def _end_of_group(self, count: int) -> int:
        """Return where a group ends that is full with `count` records."""
        stop = self._end_of_place(count)
        if stop == count:
            return stop
        start = bisect_left(self._records, _number(self._records[count - 1]), 0, count, key=_number)
        return (start or count) if self._is_long(start, stop) and self._is_one_aggregate(start, stop) else stop

    def _is_long(self, start: int, stop: int) -> bool:
        size = sum(len(record.data) for record in self._records[start:stop])
        return stop - start > self._limits.records or size > self._limits.bytes

    def _is_one_aggregate(self, start: int, stop: int) -> bool:
        """True if the records share their number because of an aggregate; a stream may also repeat numbers."""
        first, last = self._records[start].subsequence_number, self._records[stop - 1].subsequence_number
        return first is not None and last is not None and last - first == stop - start - 1

    def _end_of_place(self, count: int) -> int:
        """Return the index after the last record with the sequence number of the record before index `count`."""
        records = self._records
        if count == len(records) or records[count].sequence_number != records[count - 1].sequence_number:
            return count
        return bisect_right(records, _number(records[count - 1]), count, key=_number)

    def _take(self, count: int) -> RecordGroup:
        group = RecordGroup.of(self._records[:count])
        del self._records[:count]
        self.bytes -= group.bytes
        while count:
            number, time = self._arrivals.popleft()
            if number > count:
                self._arrivals.appendleft((number - count, time))
            count -= min(number, count)
        return group


def _number(record: ShardRecord) -> int:
    return int(record.sequence_number)
