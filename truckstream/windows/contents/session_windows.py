"""Session windows: the records of a key with pauses shorter than `gap`.

A session is identified by its start, because its end grows with each record. A late record can move the start of a
session, or join it to an earlier one. Then the session with the old start is retracted, also if no result of it is
known to have been emitted: before a restart one may have been.
"""

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

__all__ = ["SessionWindows"]


class SessionWindows(OpenWindows):
    """The sessions of each key."""

    def __init__(self, gap: int, allowed_lateness: int, columns: Columns, new_group: GroupFactory) -> None:
        super().__init__(columns)
        self._gap = gap
        self._lateness = allowed_lateness
        self._new_group = new_group
        #: Of each key in the order of their starts.
        self._sessions: dict[Key, list[WindowGroup]] = {}
        #: No session that has a result to emit ends before this, and none can be removed before the other.
        self._first_due = AFTER_ALL
        self._first_purge = AFTER_ALL

    def __iter__(self) -> Iterator[WindowGroup]:
        return chain.from_iterable(self._sessions.values())

    def put(self, key: Key, time: int, event: Any, record: ShardRecord, watermark: int) -> RecordOutcome:
        end = time + self._gap
        sessions = self._sessions.get(key, ())
        joined = [
            each
            for each in sessions
            if each.start - self._gap < time < each.end and each.end + self._lateness > watermark
        ]
        if joined:
            is_late = max(each.end for each in joined) <= watermark
            session = self._join(joined, time, end)
        else:
            if end + self._lateness <= watermark:
                return RecordOutcome.TOO_LATE
            is_late = end <= watermark
            made = self._new_group(key, time, end, record)
            if made is None:
                return RecordOutcome.FULL
            self._insert(session := made)
        session.events.append(event)
        session.late += is_late
        self._first_due = min(self._first_due, session.end)
        return RecordOutcome.LATE if is_late else RecordOutcome.IN_TIME

    def adopt(self, group: WindowGroup) -> None:
        self._insert(group)
        self._first_due = min(self._first_due, group.end)

    def _insert(self, session: WindowGroup) -> None:
        sessions = self._sessions.setdefault(session.key, [])
        sessions.append(session)
        sessions.sort(key=lambda each: each.start)
        self._first_purge = min(self._first_purge, session.end + self._lateness)

    def _join(self, joined: list[WindowGroup], time: int, end: int) -> WindowGroup:
        """Return the session of a record, which may join several to one, and begin earlier than they did."""
        session, *others = joined
        for other in others:
            self._results.append(other.retraction())
            session.merge(other, self._columns)
            self._sessions[session.key].remove(other)
        if time < session.start:
            self._results.append(session.retraction())
            session.start = time
        session.end = max(session.end, end)
        return session

    def _due(self, before: int, mark: int) -> Iterator[WindowGroup]:  # noqa: ARG002 - a session's end moves
        if mark < self._first_due:
            return
        self._first_due = AFTER_ALL
        for session in self:
            if session.emitted == session.records:
                continue
            if session.end <= mark:
                yield session
            else:
                self._first_due = min(self._first_due, session.end)

    def _purge(self, watermark: int) -> None:
        if watermark < self._first_purge:
            return
        for key, sessions in list(self._sessions.items()):
            left = [each for each in sessions if each.end + self._lateness > watermark]
            if left:
                self._sessions[key] = left
            else:
                del self._sessions[key]
        self._first_purge = min((each.end + self._lateness for each in self), default=AFTER_ALL)
