"""Make the open windows of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.stream_sql.records.columns import ColumnBuilder
from truckstream.stream_sql.windowing.open_windows import BufferedWindows
from truckstream.windows import Watermark

if TYPE_CHECKING:
    from collections.abc import Collection

    from truckstream.stream_sql.options import SqlOptions

__all__ = ["make_windows"]


def make_windows(
    options: SqlOptions, columns_read: Collection[str], closed_before: int | None = None
) -> BufferedWindows:
    """Return the windows of a query that has read nothing yet.

    Args:
        options: the query.
        columns_read: the columns that its SQL reads.
        closed_before: windows that end up to this time were final in an earlier run.
    """
    watermark = Watermark(out_of_orderness=options.lateness, idle_after=options.idle_after, max_ahead=options.max_ahead)
    return BufferedWindows(
        options.plan,
        watermark,
        ColumnBuilder(options.schema, columns_read),
        max_bytes=options.memory_bytes // 2,
        lateness=options.lateness,
        max_ahead=options.max_ahead,
        closed_before=closed_before,
    )
