"""The leases of an application as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.commands.output.aws_reports import format_table

if TYPE_CHECKING:
    from truckstream.consumer.watching.lease_report import LeaseReport, LeaseState

__all__ = ["format_leases"]

_HEAD = ("shard", "owner", "behind", "checkpoint")


def format_leases(report: LeaseReport) -> str:
    """Format the leases, one a line, and what is wrong."""
    title = (
        f"{report.application} on {report.stream}: {len(report.leases)} shards, {report.ended} more read to their ends"
    )
    lines = [title, "", format_table(_HEAD, map(_row, report.leases), right=(2,))]
    if report.problems:
        lines += ["", *(f"! {problem}" for problem in report.problems)]
    return "\n".join(lines)


def _row(lease: LeaseState) -> tuple[str, ...]:
    behind = "?" if lease.millis_behind_latest is None else f"{lease.millis_behind_latest / 1000:,.1f} s"
    owner = lease.owner or "-"
    if lease.handed_over_by:
        owner += f" (from {lease.handed_over_by})"
    return (lease.shard_id, owner, behind, lease.checkpoint)
