"""The windows of a shard that are open or may still be corrected, whatever their kind.

Two times decide. By the **watermark** a record is late or too late. It follows from the records alone, so a record
that is read again after a restart meets the same decision. Up to the **mark** results are emitted. It is never before
the watermark, and at the tip of a shard it goes on with the clock. When a result was emitted changes nothing but the
moment: its revision is the number of its records, which come in the same order each time.

A record is accepted or not by comparing times, never by whether a group is still in memory, because groups are removed
after batches, and batches differ from one reading to the next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from truckstream.kinesis.reading.shard_record import ShardRecord
    from truckstream.windows.contents.group import Columns, WindowGroup
    from truckstream.windows.result import Key, WindowResult

__all__ = ["AFTER_ALL", "BEFORE_ALL", "GroupFactory", "OpenWindows", "RecordOutcome"]

#: Before every event time, in microseconds.
BEFORE_ALL: Final = -(2**63)
AFTER_ALL: Final = 2**63


class RecordOutcome(Enum):
    """What became of a record."""

    IN_TIME = "in_time"
    #: It came after its window had ended by the watermark, and corrects the result.
    LATE = "late"
    #: It came when its window could not be corrected any more.
    TOO_LATE = "too_late"
    #: It would have made one group more than there may be.
    FULL = "full"


class GroupFactory(Protocol):
    """Makes a group; returns None if there are too many."""

    def __call__(self, key: Key, start: int, end: int, record: ShardRecord) -> WindowGroup | None: ...


class OpenWindows(ABC):
    """The groups of a shard. All times are in microseconds since the epoch."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        #: By their starts, which are multiples of `step`: the windows that are after the watermark and the mark, if a
        #: record can be in one window only. A record of one of their groups can be added without `put`.
        self.open: dict[int, dict[Key, WindowGroup]] = {}
        self.step = 1
        self._mark = BEFORE_ALL
        self._results: list[WindowResult] = []

    @abstractmethod
    def __iter__(self) -> Iterator[WindowGroup]:
        """Iterate over all groups."""

    @abstractmethod
    def put(self, key: Key, time: int, event: Any, record: ShardRecord, watermark: int) -> RecordOutcome:
        """Add a record to its windows. `event` is the decoded record."""

    def close(self, watermark: int) -> None:  # noqa: B027 - nothing to do without open windows
        """Note that the watermark has moved."""

    @abstractmethod
    def adopt(self, group: WindowGroup) -> None:
        """Take over a group of a stored state."""

    def restore(self, groups: Iterable[WindowGroup], watermark: int) -> None:
        """Take over the groups of a state whose results were emitted up to `watermark`."""
        self._mark = watermark
        for group in groups:
            group.emitted = group.records if group.end <= watermark else 0
            self.adopt(group)

    def emit(self, mark: int, watermark: int) -> None:
        """Make the results that are due at `mark`, then remove the groups that can change no more."""
        before, self._mark = self._mark, max(self._mark, mark)
        self._results += [
            group.take_result(self._columns)
            for group in self._due(before, self._mark)
            if group.emitted != group.records
        ]
        self._purge(watermark)

    def take_results(self) -> list[WindowResult]:
        """Return the results that were made, each once. A retraction comes before the result that replaces it."""
        results, self._results = self._results, []
        return results

    @abstractmethod
    def _due(self, before: int, mark: int) -> Iterator[WindowGroup]:
        """Return the groups that ended after `before` and up to `mark`, and those that changed since they ended."""

    @abstractmethod
    def _purge(self, watermark: int) -> None:
        """Remove the groups that no record can change any more."""
