"""The rows of an answer: a table for people, or a file for programs."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from truckstream.commands.output.console import console, error_console
from truckstream.commands.output.results import print_text
from truckstream.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

__all__ = ["Output", "format_rows", "print_table", "take_result"]

#: DuckDB's options of each format.
_OPTIONS: Final = {
    "csv": "FORMAT csv, HEADER",
    "json": "FORMAT json, ARRAY true",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}

#: The most characters of a value in a table that is printed on a terminal.
_WIDEST: Final = 40
#: The width of a table that is not printed on a terminal.
_NO_LIMIT: Final = 100_000


class Output(NamedTuple):
    """Where the rows go."""

    format: str
    #: None for standard output.
    path: Path | None
    #: The most rows of a table.
    rows: int


def take_result(relation: duckdb.DuckDBPyRelation, output: Output) -> Callable[[], None]:
    """Run a relation; return the function that prints its rows, which does nothing if they are written to a file."""
    if output.format == "table":
        rows = relation.limit(output.rows + 1).fetchall()
        return lambda: print_table(relation.columns, rows, output.rows, "--rows, --format and --output show more.")
    if output.path is not None:
        _write_file(relation, output.format, output.path)
        return lambda: None
    folder = tempfile.TemporaryDirectory(prefix="truckstream-")  # Parquet can only be written to a file
    path = Path(folder.name, "rows")
    try:
        _copy(relation, path, output.format)
    except BaseException:
        folder.cleanup()
        raise
    return lambda: _print_file(path, folder)


def _write_file(relation: duckdb.DuckDBPyRelation, format_: str, path: Path) -> None:
    """Write a whole file, or none: another program must not find half of it."""
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        _copy(relation, part, format_)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _print_file(path: Path, folder: tempfile.TemporaryDirectory[str]) -> None:
    with folder, path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _copy(relation: duckdb.DuckDBPyRelation, path: Path, format_: str) -> None:
    quoted = str(path).replace("'", "''")
    copied = relation.query("answer", f"COPY answer TO '{quoted}' ({_OPTIONS[format_]})")
    if copied is not None:
        copied.fetchall()


def print_table(names: list[str], rows: list[tuple[Any, ...]], limit: int, hint: str) -> None:
    """Print rows as a table, and the hint if rows beyond the limit, or columns, are not shown."""
    table, shown = format_rows(names, rows[:limit], console.width if console.is_terminal else None)
    if console.is_terminal:
        console.print(table)
    else:
        plain = Console(width=_NO_LIMIT, file=io.StringIO())
        plain.print(table)
        print_text("\n".join(line.rstrip() for line in plain.file.getvalue().splitlines()))  # type: ignore[attr-defined]
    notes = []
    if len(rows) > limit:
        notes.append(f"These are the first {limit:,} rows.")
    if shown < len(names):
        notes.append(f"{shown} of {len(names)} columns fit.")
    if notes:
        text = " ".join([*notes, hint])
        error_console.print(text, style="dim", highlight=False, soft_wrap=True)


def format_rows(names: list[str], rows: list[tuple[Any, ...]], width: int | None) -> tuple[Table, int]:
    """Return the rows as a table, and how many of its columns fit into the width (None for no limit)."""
    columns = [[name, *(_text(row[place]) for row in rows)] for place, name in enumerate(names)]
    if width is not None:
        columns = [[set_cell_size(cell, min(cell_len(cell), _WIDEST)) for cell in column] for column in columns]
    shown = _fitting([max(map(cell_len, column)) for column in columns], width)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for place, (name, *_) in enumerate(columns[:shown]):
        is_number = any(isinstance(row[place], (int, float)) and not isinstance(row[place], bool) for row in rows)
        table.add_column(Text(name), justify="right" if is_number else "left", no_wrap=True)
    for row in zip(*(column[1:] for column in columns[:shown]), strict=True):
        table.add_row(*map(Text, row))
    return table, shown


def _fitting(widths: list[int], width: int | None) -> int:
    """Return how many columns fit, at least one. Between two columns are two spaces."""
    if width is None:
        return len(widths)
    ends = list(accumulate(each + 2 for each in widths))
    return max(sum(end - 2 <= width for end in ends), 1)


def _text(value: Any) -> str:
    return "NULL" if value is None else printable(str(value))
