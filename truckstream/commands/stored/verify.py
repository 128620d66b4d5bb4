"""`truckstream verify`: prove that a store holds each record exactly once."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from truckstream.commands.output.console import error_console
from truckstream.commands.output.results import print_error, print_result
from truckstream.commands.stored.interruption import run_interruptible
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.commands.stream.start import parse_times
from truckstream.errors import ConfigurationError, InvalidArgumentError, StreamNotFoundError, TruckstreamError

if TYPE_CHECKING:
    from rich.status import Status

    from truckstream.data.audit.objects.object_scan import AuditProgress

__all__ = ["verify"]


def verify(
    store: str,
    *,
    stream: str | None = None,
    given_up: str | None = None,
    cloudwatch: bool = False,
    connection: StreamConnection = DEFAULT_CONNECTION,
    prefix: str = "sensor_data",
    rejected_prefix: str = "rejected",
    since: str | None = None,
    until: str | None = None,
    quick: bool = False,
    settle: float = 900.0,
    findings: int = 20,
    json: bool = False,
) -> int:
    """Prove that a store holds each record exactly once, and name each object that shows otherwise.

    Finds holes, overlaps, duplicates, objects that were truncated, edited or whose partner is missing, and counts
    rejected records by reason. With --stream, each record that the stream still has is compared with the objects.

    Exit status: 0 if nothing is wrong; 1 if something is missing, doubled or damaged; 2 if that could not be told, or
    if an option is wrong; 130 after Ctrl-C.

    Example:
        truckstream verify s3://bucket --stream truck-sensor-stream --since 24h

    Args:
        store: s3://bucket, file:///directory, or the path of a directory.
        stream: Name or ARN of a stream to compare the objects with.
        given_up: Store with Lambda's on-failure destination, whose batches must be stored by now.
        cloudwatch: Compare each hour's objects with the metric IncomingRecords of their stream.
        connection: Region and endpoint, of the bucket and of the stream.
        prefix: Folder of the valid records.
        rejected_prefix: Folder of the rejected records.
        since: Begin with objects whose records arrived at this time, such as 2026-11-29T08:30 (UTC), or 24h.
        until: End before this time.
        quick: Read only the metadata of the objects. Edited bytes then go unnoticed.
        settle: Seconds for which an object may wait for others. A gap beside a younger one is unclear.
        findings: Findings to print.
        json: Print the report with all findings as JSON.
    """
    if findings < 0:
        raise InvalidArgumentError("findings", findings, "must not be negative")
    options = {
        "stream": stream,
        "given_up": given_up,
        "prefix": prefix,
        "rejected_prefix": rejected_prefix,
        **parse_times(datetime.now(UTC), since=since, until=until),
        "quick": quick,
        "settle": settle,
        "endpoint_url": connection.endpoint_url,
        "region_name": connection.exported_settings(stream).region,
    }
    try:
        work = _verify(store, connection, options, findings, cloudwatch=cloudwatch, json=json)
        return run_interruptible(work, "Interrupted: nothing was proved.", json=json)
    except (ConfigurationError, InvalidArgumentError):
        raise
    except TruckstreamError as error:
        print_error(error, json=json)
        return 2


async def _verify(
    store: str,
    connection: StreamConnection,
    options: dict[str, Any],
    findings: int,
    *,
    cloudwatch: bool,
    json: bool,
) -> int:
    from truckstream.data.audit import audit  # noqa: PLC0415 - each command loads only what it needs
    from truckstream.data.audit.report import render_report  # noqa: PLC0415

    stream = options["stream"]
    if stream is not None:
        options = {**options, "session": await connection.session(stream)}
    async with contextlib.AsyncExitStack() as resources:
        status = resources.enter_context(error_console.status("Listing …"))
        account = await resources.enter_async_context(await connection.account(stream)) if cloudwatch else None
        try:
            report = await audit(
                store, **options, cloudwatch=account, on_progress=lambda progress: _show(status, progress)
            )
        except StreamNotFoundError as error:
            raise connection.with_hint(error, str(stream)) from error
    print_result(report.to_builtins(), render_report(report, findings), json=json)
    return report.exit_status


def _show(status: Status, progress: AuditProgress) -> None:
    text = f"{progress.objects:,} objects, {progress.bytes / 1e6:,.0f} MB"
    if progress.phase == "stream":
        text += f"; {progress.records:,} records of the stream"
    status.update(text)
