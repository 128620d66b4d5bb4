"""The result of an audit: figures and findings, for programs; and as text, for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from truckstream.data.audit.findings import AuditFinding
from truckstream.data.audit.shards.shard_chain import UnprovenLink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.data.audit.stream.stream_comparison import ShardComparison

__all__ = ["AuditReport", "AuditedShard", "render_report", "with_comparison"]


class AuditedShard(msgspec.Struct, frozen=True, kw_only=True):
    """The stored records of one shard."""

    stream: str
    shard: str
    groups: int = 0
    #: By the objects' metadata.
    valid: int = 0
    rejected: int = 0
    #: Empty without objects.
    first_sequence_number: str = ""
    last_sequence_number: str = ""
    #: The record before the first group, if that names one. It lies before the time that was looked at, or in an object
    #: that was deleted.
    begins_after: str | None = None
    #: Groups that follow on the group before them, and groups for which nothing shows that.
    proven_links: int = 0
    unproven_links: int = 0
    #: The first of the unproven links.
    unproven: tuple[UnprovenLink, ...] = ()
    #: Pairs of groups whose numbers overlap without a common record.
    interleaved: int = 0
    #: With a stream: its records that are in exactly one object, and those that are not stored yet.
    compared: int = 0
    waiting: int = 0


def with_comparison(shard: AuditedShard | None, place: tuple[str, str], comparison: ShardComparison) -> AuditedShard:
    """Return a shard with the figures of its comparison with the stream. `shard` is None if it has no objects."""
    if shard is None:
        shard = AuditedShard(stream=place[0], shard=place[1])
    return msgspec.structs.replace(shard, compared=comparison.compared, waiting=comparison.waiting)


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """The findings and counts of an audit. `exit_status` is that of `truckstream verify`."""

    objects: int
    bytes: int
    #: Compacted files that were checked, and originals that were deleted after their compaction.
    compacted_files: int = 0
    deleted_originals: int = 0
    #: Whether the contents were read; else only sizes and metadata.
    read_contents: bool
    shards: tuple[AuditedShard, ...]
    #: Rejected records by reason, if the contents were read.
    rejected_by_reason: dict[str, int]
    #: Objects of earlier versions, which state no SHA-256; and objects without any metadata, with the first of each.
    without_checksum: int
    without_checksum_keys: tuple[str, ...]
    without_metadata: int
    without_metadata_keys: tuple[str, ...]
    #: Hours whose records were compared with CloudWatch's; None if that was not asked for.
    compared_hours: int | None = None
    #: Whether the stream was read.
    compared_stream: str | None = None
    findings: tuple[AuditFinding, ...]

    @property
    def exit_status(self) -> int:
        """0 if nothing is wrong, 1 if records are missing, doubled or changed, 2 if it could not be told."""
        severities = {each.severity for each in self.findings}
        return 1 if "problem" in severities else 2 if severities else 0

    def to_builtins(self) -> dict[str, object]:
        """Return the report for JSON."""
        document: dict[str, object] = msgspec.to_builtins(self)
        return document | {"exit_status": self.exit_status}


def render_report(report: AuditReport, most_findings: int) -> str:
    """Return the report as text, with the first findings."""
    lines = [_contents_line(report)]
    for each in report.shards:
        lines += _shard_lines(each)
    if report.rejected_by_reason:
        reasons = sorted(report.rejected_by_reason.items(), key=lambda item: -item[1])
        lines.append("Rejected: " + ", ".join(f"{count:,} {reason}" for reason, count in reasons) + ".")
    lines += _proof_lines(report)
    lines += _finding_lines(report.findings, most_findings)
    lines.append(_verdict(report))
    return "\n".join(lines)


def _contents_line(report: AuditReport) -> str:
    how = "read and compared with their SHA-256" if report.read_contents else "not read; sizes and metadata compared"
    line = f"{report.objects:,} objects, {report.bytes:,} bytes: {how}."
    if not report.compacted_files:
        return line
    originals = f"; {report.deleted_originals:,} originals are deleted" if report.deleted_originals else ""
    return f"{line} Compacted: {report.compacted_files:,} files{originals}."


def _shard_lines(shard: AuditedShard) -> list[str]:
    name = f"{shard.stream.rpartition('/')[2]} {shard.shard}"
    if shard.groups:
        lines = [
            (
                f"{name}: {shard.valid:,} valid and {shard.rejected:,} rejected records in {shard.groups:,} groups, "
                f"from {shard.first_sequence_number} to {shard.last_sequence_number}."
            )
        ]
    else:
        lines = [f"{name}: no objects."]
    if shard.begins_after is not None:
        lines.append(f"  The record before them, {shard.begins_after}, is in no object of the time.")
    if shard.interleaved:
        lines.append(f"  {shard.interleaved:,} pairs of groups interleave, as with a ParallelizationFactor above 1.")
    if shard.compared or shard.waiting:
        lines.append(f"  {shard.compared:,} records of the stream compared, {shard.waiting:,} not stored yet.")
    return lines


def _proof_lines(report: AuditReport) -> list[str]:
    """Return the facts that are proved, and those that are not."""
    shards = report.shards
    proven, unproven = sum(each.proven_links for each in shards), sum(each.unproven_links for each in shards)
    lines = []
    if proven:
        lines.append(
            f"Proved: between {proven:,} neighbouring groups no record is missing, by the chain in their metadata."
        )
    if report.compared_stream:
        compared = sum(each.compared for each in shards)
        lines.append(f"Proved: {compared:,} records that {report.compared_stream} still has were compared one by one.")
    elif shards:
        between = (
            f"between {unproven:,} neighbouring groups, because the writer did not know the record before, and "
            if unproven
            else ""
        )
        lines.append(
            f"Not proved: a group that is missing as a whole would not show {between}at both ends of each shard. "
            "While the stream still has the records, --stream proves it."
        )
    if report.compared_hours is not None:
        lines.append(f"Compared: {report.compared_hours:,} hours with CloudWatch's IncomingRecords.")
    if report.without_checksum:
        lines.append(
            f"Not proved: {report.without_checksum:,} objects of an earlier version have no SHA-256, such as "
            f"{report.without_checksum_keys[0]}."
        )
    if report.without_metadata:
        lines.append(
            f"Not proved: {report.without_metadata:,} objects have no metadata, such as "
            f"{report.without_metadata_keys[0]}."
        )
    return lines


def _finding_lines(findings: Sequence[AuditFinding], most: int) -> list[str]:
    lines = [f"{each.severity}: {each.kind}: {each.text}." for each in findings[:most]]
    if len(findings) > most:
        lines.append(f"and {len(findings) - most:,} more findings; --json prints all.")
    return lines


def _verdict(report: AuditReport) -> str:
    kinds = Counter(each.kind for each in report.findings)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    match report.exit_status:
        case 0:
            return "Nothing is missing, doubled or damaged, as far as the above proves it."
        case 1:
            return f"Something is missing, doubled or damaged: {counts}."
        case _:
            return f"It could not be told whether everything is there: {counts}."
