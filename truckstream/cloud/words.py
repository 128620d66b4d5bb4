"""Results in words: what the commands print for people, as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from truckstream.cloud.archive import Archive

__all__ = ["package_words", "table"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Columns as wide as they need to be; those in `right` are aligned to the right."""
    lines = [head, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    to_the_right = set(right)

    def aligned(line: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if at in to_the_right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return "\n".join(aligned(line) for line in lines)


def package_words(archive: Archive, path: Path | None) -> str:
    """What a function's zip holds, and where it lies (None: nowhere)."""
    rows = [
        (part.name, part.version or "", f"{part.files:,}", f"{part.bytes:,}", f"{part.zipped_bytes:,}")
        for part in archive.parts
    ]
    total = (
        "",
        "",
        f"{sum(part.files for part in archive.parts):,}",
        f"{archive.unpacked_size:,}",
        f"{archive.size:,}",
    )
    contents = table(("package", "version", "files", "bytes", "zipped"), [*rows, total], right=(2, 3, 4))
    where = "nothing was written" if path is None else str(path)
    return (
        f"{contents}\n\n{where}: {archive.size / 1e6:.2f} MB, contents {archive.digest[:16]}, sha256 {archive.sha256}"
    )
