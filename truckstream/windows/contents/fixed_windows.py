"""Tumbling and sliding windows."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from truckstream.windows.contents.open_windows import AFTER_ALL, OpenWindows, RecordOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.kinesis.reading.shard_record import ShardRecord
    from truckstream.windows.contents.group import Columns, WindowGroup
    from truckstream.windows.contents.open_windows import GroupFactory
    from truckstream.windows.result import Key

__all__ = ["FixedWindows"]


class FixedWindows(OpenWindows):
    """The windows of `size` that begin at multiples of `step`."""

    def __init__(self, size: int, step: int, allowed_lateness: int, columns: Columns, new_group: GroupFactory) -> None:
        super().__init__(columns)
        self._size = size
        self._step = step
        self._lateness = allowed_lateness
        self._new_group = new_group
        #: By start, then by key.
        self._windows: dict[int, dict[Key, WindowGroup]] = {}
        self.step = step
        self._first_end = AFTER_ALL
        #: Groups of windows before the mark that have changed since their results were emitted.
        self._changed: dict[tuple[int, Key], WindowGroup] = {}

    def __iter__(self) -> Iterator[WindowGroup]:
        return chain.from_iterable(window.values() for window in self._windows.values())

    def put(self, key: Key, time: int, event: Any, record: ShardRecord, watermark: int) -> RecordOutcome:
        outcome = RecordOutcome.TOO_LATE
        start = time - time % self._step
        before_first = max(time, watermark - self._lateness) - self._size
        while start > before_first:
            window = self._windows.get(start)
            if window is None:
                window = self._windows[start] = {}
            group = window.get(key)
            if group is None:
                group = self._new_group(key, start, start + self._size, record)
                if group is None:
                    return RecordOutcome.FULL
                window[key] = group
            group.events.append(event)
            end = start + self._size
            if end <= watermark:
                group.late += 1
                outcome = RecordOutcome.LATE
            elif outcome is RecordOutcome.TOO_LATE:
                outcome = RecordOutcome.IN_TIME
            if end <= self._mark:
                self._changed[start, key] = group
            elif end > watermark and self._size == self._step:
                self.open[start] = window
                self._first_end = min(self._first_end, end)
            start -= self._step
        return outcome

    def close(self, watermark: int) -> None:
        if watermark >= self._first_end:
            for start in [start for start in self.open if start + self._size <= watermark]:
                del self.open[start]
            self._first_end = min(self.open, default=AFTER_ALL - self._size) + self._size

    def adopt(self, group: WindowGroup) -> None:
        window = self._windows.setdefault(group.start, {})
        mine = window.setdefault(group.key, group)
        if mine is not group:
            self._results.append(group.retraction())
            mine.merge(group, self._columns)
            self._changed[group.start, group.key] = mine

    def _due(self, before: int, mark: int) -> Iterator[WindowGroup]:
        changed, self._changed = self._changed, {}
        self.close(mark)
        for start in sorted(self._windows):
            if before < start + self._size <= mark:
                yield from self._windows[start].values()
        for group in changed.values():
            if group.end <= mark:
                yield group

    def _purge(self, watermark: int) -> None:
        for start in [start for start in self._windows if start + self._size + self._lateness <= watermark]:
            del self._windows[start]
