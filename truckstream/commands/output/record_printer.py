"""Print records on standard output: indented and coloured on a terminal, one a line for programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.highlighter import JSONHighlighter
from rich.text import Text

from truckstream.commands.output.console import console
from truckstream.commands.output.record_lines import format_record, raw_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.commands.output.record_lines import Column
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["RecordPrinter"]


class RecordPrinter:
    """Prints one record after the other, each at once.

    Args:
        show: the columns before the data.
        raw: print the data as they are.
    """

    def __init__(self, show: Sequence[Column] = (), *, raw: bool = False) -> None:
        self._show = show
        self._raw = raw
        self._highlight = JSONHighlighter()

    def print(self, record: ShardRecord) -> None:
        """Print one record.

        Raises:
            BrokenPipeError: nobody reads the output any more.
        """
        if console.is_terminal and not self._raw:
            console.print(self._coloured(record), soft_wrap=True)
            return
        line = raw_record(record, self._show) if self._raw else f"{format_record(record, self._show)}\n".encode()
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()

    def _coloured(self, record: ShardRecord) -> Text:
        line = format_record(record, self._show, indent=True)
        text = Text("  ".join(line.columns), style="dim")
        if line.columns:
            text.append("\n" if line.is_json else "  ")
        data = Text(line.data, style="not dim")
        if line.is_json:
            self._highlight.highlight(data)
        return text.append_text(data)
