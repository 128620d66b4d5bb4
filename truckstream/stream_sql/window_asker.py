"""Ask DuckDB about windows in a thread, and find what has changed since the last answer."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from truckstream.stream_sql.query.changes import RowChange, changes_between
from truckstream.stream_sql.query.engine import QueryEngine
from truckstream.stream_sql.records.columns import columns_of_schema
from truckstream.stream_sql.results import WindowAnswer

if TYPE_CHECKING:
    from truckstream.stream_sql.options import SqlOptions
    from truckstream.stream_sql.query.changes import Row
    from truckstream.stream_sql.windowing.open_windows import WindowRecords

__all__ = ["WindowAsker", "start_of", "utc"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class WindowAsker:
    """One query, and its last answers for the windows that are open.

    Args:
        options: the query.

    Raises:
        InvalidArgumentError: the SQL is wrong, or the schema is no Struct.
    """

    def __init__(self, options: SqlOptions) -> None:
        columns = columns_of_schema(options.schema)
        self.engine = QueryEngine(options.sql, columns, options.memory_bytes // 2)
        self._length = options.plan.length
        self._keeps_answers = options.emit == "changes"
        self._answers: dict[int, list[Row]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="truckstream-sql")

    async def ask(self, asked: WindowRecords) -> WindowAnswer:
        """Return the answer for a window.

        Raises:
            QueryFailedError: DuckDB cannot answer the query for it.
        """
        start, end = asked.window, asked.window + self._length
        loop = asyncio.get_running_loop()
        try:
            rows = await loop.run_in_executor(self._thread, self.engine.ask, start, end, asked.batches)
        except asyncio.CancelledError:
            self.engine.interrupt()
            raise
        return WindowAnswer(
            window_start=utc(start),
            window_end=utc(end),
            is_final=asked.is_final,
            columns=self.engine.columns,
            key=self.engine.key,
            rows=rows,
            changes=self._changes(start, rows),
        )

    def forget(self, window: int) -> None:
        """Drop the last answer for a window that is final."""
        self._answers.pop(window, None)

    def close(self) -> None:
        """End the thread, and free DuckDB's memory."""
        self._thread.shutdown(wait=True)
        self.engine.close()

    def _changes(self, window: int, rows: list[Row]) -> list[RowChange]:
        if not self._keeps_answers:
            return [RowChange("insert", row) for row in rows]
        before = self._answers.get(window, [])
        self._answers[window] = rows
        return changes_between(before, rows, self.engine.key)


def utc(microseconds: int) -> datetime:
    """Return a time in microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=microseconds)


def start_of(result: WindowAnswer) -> int:
    """Return the start of a result's window in microseconds since the epoch."""
    return (result.window_start - _EPOCH) // _MICROSECOND
