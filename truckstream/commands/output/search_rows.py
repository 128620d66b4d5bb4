"""The rows of a search: a table for people, CSV or JSON for programs."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

import msgspec

from truckstream.batcher.formats.stream_fields import ARRIVAL
from truckstream.commands.output.console import error_console
from truckstream.commands.stored.query.result import print_table

if TYPE_CHECKING:
    from truckstream.search.asking.rows import Row

__all__ = ["print_rows"]


def print_rows(rows: list[Row], format_: str, limit: int) -> None:
    """Print the rows of a search in a format: table, csv or json."""
    if format_ == "json":
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")
        sys.stdout.buffer.flush()
    elif format_ == "csv":
        _print_csv(rows)
    else:
        _print_table(rows, limit)


def _print_csv(rows: list[Row]) -> None:
    if rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _print_table(rows: list[Row], limit: int) -> None:
    if not rows:
        error_console.print("No record matches.", style="dim", highlight=False)
        return
    # The time of arrival comes first, if it is known: the rows are in its order.
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    names.sort(key=lambda name: name != ARRIVAL)
    print_table(names, [tuple(row[name] for name in names) for row in rows], limit, "--format json shows all.")
    if len(rows) == limit:
        text = f"These are the newest {limit:,}; --limit shows more."
        error_console.print(text, style="dim", highlight=False, soft_wrap=True)
