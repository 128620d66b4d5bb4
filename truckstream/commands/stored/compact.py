"""`truckstream compact`: few large Parquet files of the many small objects of each hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from cyclopts import Parameter

from truckstream.commands.output.console import error_console
from truckstream.commands.output.results import print_result
from truckstream.commands.stored.interruption import run_interruptible
from truckstream.commands.stored.users_code import load_schema
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.commands.stream.start import parse_times

if TYPE_CHECKING:
    from rich.status import Status

    from truckstream.data.compaction.report import CompactionProgress

__all__ = ["compact"]

_INTERRUPTED: Final = "Interrupted. Files that were made remain, and the next run completes what was begun."


def compact(
    store: str,
    *,
    since: str | None = None,
    until: str | None = None,
    grace: float = 3600.0,
    prefix: Annotated[str, Parameter(env_var="PREFIX")] = "sensor_data",
    schema: Annotated[str, Parameter(env_var="SCHEMA")] = "truck",
    sort_by: list[str] | None = None,
    target_size: int = 128 * 1024 * 1024,
    memory_limit: str = "1GB",
    originals: Literal["keep", "tier"] = "keep",
    iceberg_table: str | None = None,
    iceberg_catalog: str = "default",
    dry_run: bool = False,
    connection: StreamConnection = DEFAULT_CONNECTION,
    json: bool = False,
) -> int:
    """Make few large Parquet files of the many small objects of each hour that is over.

    Each record is in one file, also if the command is killed, or runs twice at the same time: the next run completes
    the files of the others, and adds one for objects that came later. No object is deleted. Needs
    pip install 'truckstream[compact]'.

    Exit status: 0 if all objects of these hours are in a file now; 1 if some cannot be read (they are named, and left
    out), or if the store failed; 2 if an option is wrong; 3 if AWS failed to tag; 130 after Ctrl-C.

    Example:
        truckstream compact s3://bucket --since 24h --dry-run

    Args:
        store: s3://bucket, file:///directory, or the path of a directory.
        since: Begin with the hour that begins at this time or later, such as 2026-11-29T08:00 (UTC), or 24h.
        until: End before the hour that begins at this time or later.
        grace: Seconds for which an hour must be over. Objects that come later make one more file.
        prefix: Folder of the objects.
        schema: Schema of the records, whose fields become the columns: truck, or module:Name of a msgspec.Struct.
        sort_by: Column to sort the records of a file by; may be repeated. By default the truck and the time.
        target_size: Bytes of a file, roughly.
        memory_limit: Memory for sorting. More is sorted on disk.
        originals: keep, or tier to tag the objects for lifecycle rules of the bucket: truckstream-compacted=true.
        iceberg_table: Apache Iceberg table that the files are added to, such as lake.trucks.
        iceberg_catalog: Name of its catalog in the configuration of pyiceberg.
        dry_run: Show which files would be made, and write nothing.
        connection: Region and endpoint of the bucket.
        json: Print the result as JSON.
    """
    options = {
        **parse_times(datetime.now(UTC), since=since, until=until),
        "grace": timedelta(seconds=grace),
        "prefix": prefix,
        "schema": load_schema(schema),
        "sort_by": sort_by,
        "target_size": target_size,
        "memory_limit": memory_limit,
        "originals": originals,
        "iceberg_table": iceberg_table,
        "iceberg_catalog": iceberg_catalog,
        "dry_run": dry_run,
        "region_name": connection.exported_settings().region,
        "endpoint_url": connection.endpoint_url,
    }
    return run_interruptible(_compact(store, options, json=json), _INTERRUPTED, json=json)


async def _compact(store: str, options: dict[str, Any], *, json: bool) -> int:
    import truckstream  # noqa: PLC0415 - each command loads only what it needs
    from truckstream.commands.output.compaction_page import format_compaction  # noqa: PLC0415

    with error_console.status("Listing …") as status:
        report = await truckstream.compact(store, **options, on_progress=lambda progress: _show(status, progress))
    print_result({**msgspec.to_builtins(report), "clean": report.clean}, format_compaction(report), json=json)
    return 0 if report.clean else 1


def _show(status: Status, progress: CompactionProgress) -> None:
    status.update(
        f"{progress.hour:%Y-%m-%d %H:00}: {progress.sources:,} objects, {progress.records:,} records, "
        f"{progress.files:,} files"
    )
