"""The account of a compaction as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.commands.output.aws_reports import format_table

if TYPE_CHECKING:
    from truckstream.data.compaction.report import CompactedFile, CompactionReport

__all__ = ["format_compaction"]

_HEAD = ("hour", "objects", "records", "bytes", "file")


def format_compaction(report: CompactionReport) -> str:
    """Format the files, one a line, and the objects that are in none."""
    lines = []
    if report.files:
        lines += [format_table(_HEAD, map(_row, report.files), right=(1, 2, 3)), ""]
    lines.append(_summary(report))
    if report.broken:
        lines += ["", "In no file, because they cannot be read:"]
        lines += [f"  {each.key}: {each.problem}" for each in report.broken]
    return "\n".join(lines)


def _row(file: CompactedFile) -> tuple[str, ...]:
    facts = ("-" if value is None else f"{value:,}" for value in (file.sources, file.records, file.size))
    return (f"{file.hour:%Y-%m-%d %H:00}", *facts, file.key)


def _summary(report: CompactionReport) -> str:
    objects = sum(each.sources for each in report.files)
    if not report.files:
        text = "There is nothing to compact."
    elif report.files[0].outcome == "planned":
        text = f"{len(report.files):,} files would be made of {objects:,} objects. Nothing was written."
    else:
        text = f"{report.records:,} records of {objects:,} objects are in {len(report.files):,} files."
    if report.committed:
        text += f" {report.committed:,} files were added to the table."
    if report.tagged:
        text += f" {report.tagged:,} objects were tagged."
    return text
