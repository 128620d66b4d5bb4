"""Print results: as a table that changes on a terminal, as lines of text, or as lines of JSON."""

from __future__ import annotations

import contextlib
import io
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from truckstream.commands.output.console import console
from truckstream.commands.stored.query.result import format_rows
from truckstream.errors import ConfigurationError
from truckstream.stream_sql.sinks.json_rows import CHANGE, change_lines, row_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.table import Table

    from truckstream.stream_sql import SqlStats, SqlStream, WindowAnswer

__all__ = ["figures_of", "live_table", "print_lines", "written_lines"]

#: The width of a table that is not printed on a terminal.
_NO_LIMIT: Final = 100_000

#: Lines of a terminal that are not rows: the title, the head, the figures and the prompt.
_OTHER_LINES: Final = 6


@contextlib.contextmanager
def live_table(stream: SqlStream) -> Iterator[Callable[[WindowAnswer], None]]:
    """Yield a function that shows a result in place of the last one, unless its window is an earlier one."""
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        newest = datetime.min.replace(tzinfo=UTC)

        def show(result: WindowAnswer) -> None:
            nonlocal newest
            if result.window_start >= newest:
                newest = result.window_start
                live.update(_page(result, stream.stats), refresh=True)

        yield show


def _page(result: WindowAnswer, stats: SqlStats) -> Group:
    state = "final" if result.is_final else "open"
    title = f"{result.window_start:%Y-%m-%d %H:%M:%S} to {result.window_end:%H:%M:%S} UTC, {state}"
    most = max(1, console.height - _OTHER_LINES)
    more = f"{len(result.rows) - most:,} more rows; " if len(result.rows) > most else ""
    table, shown = _table(result, [*result.rows[:most]], console.width)
    if shown < table_width(result):
        more += "more columns; "
    return Group(Text(title, style="bold"), table, Text(more + figures_of(stats), style="dim"))


def table_width(result: WindowAnswer) -> int:
    """Return the number of columns of a table, which leaves out those of the window."""
    return len(_own_places(result))


def _own_places(result: WindowAnswer) -> list[int]:
    places = [place for place, name in enumerate(result.columns) if name not in {"window_start", "window_end"}]
    return places or list(range(len(result.columns)))


def _table(result: WindowAnswer, rows: list[tuple[Any, ...]], width: int | None) -> tuple[Table, int]:
    places = _own_places(result)
    names = [result.columns[place] for place in places]
    return format_rows(names, [tuple(row[place] for place in places) for row in rows], width)


def print_lines(result: WindowAnswer, *, with_changes: bool) -> None:
    """Print a result as a table of text, with the kinds of its changes if it was asked for changes.

    Raises:
        BrokenPipeError: nobody reads the output any more.
    """
    if with_changes:
        names = [CHANGE, *result.columns]
        rows: list[tuple[Any, ...]] = [(change.kind, *change.row) for change in result.changes]
    else:
        names, rows = list(result.columns), list(result.rows)
    if not rows:
        return
    plain = Console(width=_NO_LIMIT, file=io.StringIO())
    plain.print(format_rows(names, rows, None)[0])
    text = "".join(f"{line.rstrip()}\n" for line in plain.file.getvalue().splitlines())  # type: ignore[attr-defined]
    sys.stdout.write(text)
    sys.stdout.flush()


@contextlib.contextmanager
def written_lines(path: Path | None, *, with_changes: bool) -> Iterator[Callable[[WindowAnswer], None]]:
    """Yield a function that appends a result as lines of JSON to a file, or to standard output.

    The lines of a result are written at once.

    Raises:
        ConfigurationError: the file cannot be opened.
    """
    encode = change_lines if with_changes else row_lines
    opened: contextlib.AbstractContextManager[BinaryIO]
    opened = contextlib.nullcontext(sys.stdout.buffer) if path is None else _open_file(path)
    with opened as file:

        def write(result: WindowAnswer) -> None:
            file.write(encode(result))
            file.flush()

        yield write


def _open_file(path: Path) -> BinaryIO:
    try:
        return path.open("ab")
    except OSError as error:
        raise ConfigurationError(
            "output", f"is {str(path)!r}, and cannot be written: {error.strerror}", "Name another file."
        ) from error


def figures_of(stats: SqlStats) -> str:
    """Return the figures of a query in one line. Records that an answer lacks are always named."""
    reasons = (
        (stats.late, "late"),
        (stats.rejected, "rejected"),
        (stats.without_time, "without a time"),
        (stats.ahead, "from clocks that are ahead"),
    )
    left_out = ", ".join(f"{count:,} {reason}" for count, reason in reasons if count)
    return (
        f"{stats.read:,} records read, {left_out or 'none late'}; {stats.open_windows} windows open "
        f"with {stats.buffered_records:,} records"
    )
