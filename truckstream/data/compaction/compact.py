"""`truckstream.compact`: make few large Parquet files of the many small objects of each hour."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from truckstream.data.compaction.completion import Completion
from truckstream.data.compaction.files.file_builder import FileBuilder
from truckstream.data.compaction.files.source_rows import SourceRows
from truckstream.data.compaction.manifests.manifest import CompactionFolder
from truckstream.data.compaction.options import DEFAULT_GRACE, DEFAULT_TARGET_SIZE, read_options
from truckstream.data.compaction.originals import OriginalTags, bucket_of
from truckstream.data.compaction.planning.hours import hours_with_objects
from truckstream.data.compaction.planning.planner import Planner
from truckstream.data.compaction.run import CompactionRun
from truckstream.data.objects.catalog import Catalog
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pyiceberg.catalog import Catalog as IcebergCatalog

    from truckstream.batcher.object_store.store import ObjectStore
    from truckstream.data.compaction.iceberg.commits import IcebergCommits
    from truckstream.data.compaction.report import CompactionProgress, CompactionReport

__all__ = ["compact"]

#: A file is stored by one request, and S3 takes a file of the default size in a few seconds.
_REQUEST_TIMEOUT: Final = "300s"


async def compact(
    store: str | Path | ObjectStore,
    *,
    schema: Any = TruckRecord,
    prefix: str = "sensor_data",
    since: datetime | None = None,
    until: datetime | None = None,
    grace: timedelta = DEFAULT_GRACE,
    sort_by: Sequence[str] | None = None,
    target_size: int = DEFAULT_TARGET_SIZE,
    memory_limit: str = "1GB",
    originals: Literal["keep", "tier"] = "keep",
    iceberg_table: str | None = None,
    iceberg_catalog: str | IcebergCatalog = "default",
    dry_run: bool = False,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    store_options: Mapping[str, Any] | None = None,
    on_progress: Callable[[CompactionProgress], None] | None = None,
) -> CompactionReport:
    """Make few large Parquet files of the many small objects of each hour that is over.

    Each record of a source is in one file, also if a run is killed at any moment or if several run at the same time;
    the next run completes what a killed one has begun. No source is deleted. Objects that arrive after their hour was
    compacted make one more file in the next run.

    Args:
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        schema: the schema of the records, a msgspec.Struct, whose fields become the columns. A field that the schema
            does not have is in no column, unless the schema forbids unknown fields.
        prefix: the folder of the objects, as in `Batcher`.
        since: compact the hours that begin from this time on; by default all.
        until: compact the hours that begin before this time.
        grace: how long an hour must be over. Objects are named by the arrival of their first records, and are stored
            later if the reader of the stream is behind.
        sort_by: the columns by which the records of a file are sorted. By default those of the truck and the time for
            `TruckRecord`, and none for another schema.
        target_size: the bytes of a file, roughly. The content of a file is in memory once.
        memory_limit: the memory that DuckDB may take in addition, such as "1GB". It sorts on disk beyond that.
        originals: "keep" leaves the sources as they are; "tier" gives them the tag truckstream-compacted=true, for
            lifecycle rules of the bucket that move or delete them. Nothing is deleted here.
        iceberg_table: add the files to this Apache Iceberg table, such as "lake.trucks". It is created if it does not
            exist. Files of the same hours that earlier runs have made are added too. Needs the extra "iceberg".
        iceberg_catalog: the table's catalog: its name in pyiceberg's configuration, or a catalog of pyiceberg.
        dry_run: return which files would be made, and make none.
        region_name: for S3, as in `Batcher`.
        endpoint_url: for S3, as in `Batcher`.
        store_options: for S3, as in `Batcher`.
        on_progress: called after each group of sources, and after each file.

    Raises:
        ConfigurationError: the store cannot be opened, or a package of the extra "compact" is not installed.
        InvalidArgumentError: an argument breaks its rule.
        StoreError: the store cannot be read or written. Files that were made remain, and the next run goes on.
        AwsError: a source could not be tagged. The next run tags it.
        IcebergError: a file was not added to the table. The next run with the table adds it.
        ChecksumError: a file did not hold the records of its sources, and was not stored.
    """
    options = read_options(schema, since, until, grace, sort_by, target_size, originals, now=datetime.now(UTC))
    catalog = Catalog(
        store,
        prefix=prefix,
        region_name=region_name,
        endpoint_url=endpoint_url,
        store_options=_with_timeout(store_options),
    )
    folder = CompactionFolder(catalog.prefix)
    planner = Planner(catalog.store, folder, target_size, dry_run=dry_run)
    async with AsyncExitStack() as resources:
        tags = commits = None
        if originals == "tier":
            from truckstream.cloud.aws_account import Account  # noqa: PLC0415 - for those who tag

            account = Account(region_name=region_name, endpoint_url=endpoint_url)
            bucket = bucket_of(catalog.url)
            tags = OriginalTags(catalog.store, bucket, folder, await resources.enter_async_context(account))
        if iceberg_table is not None:
            commits = await _commits(catalog, folder, iceberg_table, iceberg_catalog, schema)
        run = CompactionRun(folder, planner, tags, commits, on_progress, dry_run=dry_run)
        builder = FileBuilder(catalog.store, schema, options.sort_by, memory_limit, run.count)
        completion = Completion(catalog.store, folder, builder)
        async for hour, sources in hours_with_objects(catalog, folder, options.since, options.until):
            await run.compact_hour(hour, sources, completion)
    return run.report


def _with_timeout(store_options: Mapping[str, Any] | None) -> dict[str, Any]:
    options = dict(store_options or {})
    return {**options, "client_options": {"timeout": _REQUEST_TIMEOUT, **options.get("client_options", {})}}


async def _commits(
    catalog: Catalog, folder: CompactionFolder, table: str, iceberg_catalog: str | IcebergCatalog, schema: Any
) -> IcebergCommits:
    from truckstream.data.compaction.iceberg.commits import IcebergCommits  # noqa: PLC0415 - an optional package
    from truckstream.data.compaction.iceberg.iceberg_table import open_table  # noqa: PLC0415

    opened = await asyncio.to_thread(open_table, table, iceberg_catalog, SourceRows(schema).schema)
    return IcebergCommits(catalog.store, catalog.url, folder, opened)
