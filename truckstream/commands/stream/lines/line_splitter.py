"""Split input into lines, in memory that the size of a record bounds and not the size of the input."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Line", "LineSplitter"]


class Line(NamedTuple):
    """One line of the input, without its line end."""

    #: Counted from 1, blank lines included.
    number: int
    #: None for a line that is longer than a record can be; it was not kept.
    data: bytes | None
    #: Bytes of the line, also if it was not kept.
    size: int


class LineSplitter:
    r"""Takes the input in chunks, and returns its lines. A line ends with `\n` or `\r\n`.

    Args:
        max_bytes: longer lines are counted and not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._number = 0
        #: The line that has begun: its chunks, unless it is too long, and its size.
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Line]:
        """Return the lines that end in `chunk`."""
        *ended, rest = chunk.split(b"\n")
        lines = []
        for part in ended:
            self._append(part)
            lines.append(self._end_line())
        self._append(rest)
        return lines

    def finish(self) -> list[Line]:
        """Return the last line, if the input does not end with a line end."""
        return [self._end_line()] if self._size else []

    def _append(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._max_bytes:
            self._chunks.append(part)
        else:
            self._chunks.clear()

    def _end_line(self) -> Line:
        self._number += 1
        data = b"".join(self._chunks).removesuffix(b"\r") if self._size <= self._max_bytes else None
        line = Line(self._number, data, self._size if data is None else len(data))
        self._chunks.clear()
        self._size = 0
        return line
