"""The results of a query: the answer for a window, and the figures of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from truckstream.stream_sql.query.changes import Row, RowChange

__all__ = ["SqlStats", "WindowAnswer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAnswer:
    """The answer for one window."""

    #: The window, in UTC. The end is not in it.
    window_start: datetime
    window_end: datetime
    #: Whether this is the last answer for the window.
    is_final: bool
    #: The names of the columns; window_start and window_end are among them.
    columns: tuple[str, ...]
    #: The places of the columns that identify a row within the window: those of GROUP BY. None if there are none.
    key: tuple[int, ...] | None
    #: The whole answer.
    rows: Sequence[Row]
    #: The rows that differ from the last answer for the window that was given.
    changes: Sequence[RowChange]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlStats:
    """The figures of a query at one moment."""

    #: Records that were read.
    read: int
    #: Records that break a rule of the schema, so that the batcher rejects them.
    rejected: int
    #: Valid records without an event time.
    without_time: int
    #: Records whose event time is so long after their arrival that their clock must be wrong.
    ahead: int
    #: Records that came after a window that they belong to was final. Its answer does not count them.
    late: int
    #: Windows that are not final, and the records in memory for them.
    open_windows: int
    buffered_records: int
    buffered_bytes: int
    #: The watermark; None before it is known.
    watermark: datetime | None
    #: Seconds that DuckDB took for the present step, or for the last one.
    step_seconds: float

    @property
    def left_out(self) -> int:
        """The records that an answer lacks."""
        return self.rejected + self.without_time + self.ahead + self.late
