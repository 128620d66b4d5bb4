"""`truckstream.compact`: make few large Parquet files of the many small objects of each hour."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from truckstream.data.compaction.completion import Completion
from truckstream.data.compaction.files.file_builder import FileBuilder
from truckstream.data.compaction.manifest import CompactionFolder, hour_of
from truckstream.data.compaction.manifest_reader import planned_hours
from truckstream.data.compaction.options import DEFAULT_GRACE, DEFAULT_TARGET_SIZE, read_options
from truckstream.data.compaction.planning.plan import Plan, Source
from truckstream.data.compaction.planning.planner import Planner
from truckstream.data.compaction.report import BrokenSource, CompactedFile, CompactionProgress, CompactionReport
from truckstream.data.objects.catalog import Catalog
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from truckstream.batcher.object_store.store import ObjectStore

__all__ = ["compact"]

#: Objects that are listed at a time: those of a day. They take about 250 bytes of memory each.
_DAY: Final = timedelta(days=1)

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
    dry_run: bool = False,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    store_options: Mapping[str, Any] | None = None,
    on_progress: Callable[[CompactionProgress], None] | None = None,
) -> CompactionReport:
    """Make few large Parquet files of the many small objects of each hour that is over.

    Each record of a source is in one file, also if a run is killed at any moment or if several run at the same time;
    the next run completes what a killed one has begun. The sources are kept. Objects that arrive after their hour was
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
        dry_run: return which files would be made, and make none.
        region_name: for S3, as in `Batcher`.
        endpoint_url: for S3, as in `Batcher`.
        store_options: for S3, as in `Batcher`.
        on_progress: called after each group of sources, and after each file.

    Raises:
        ConfigurationError: the store cannot be opened, or a package of the extra "compact" is not installed.
        InvalidArgumentError: an argument breaks its rule.
        StoreError: the store cannot be read or written. Files that were made remain, and the next run goes on.
        ChecksumError: a file did not hold the records of its sources, and was not stored.
    """
    options = read_options(schema, since, until, grace, sort_by, target_size, now=datetime.now(UTC))
    catalog = Catalog(
        store,
        prefix=prefix,
        region_name=region_name,
        endpoint_url=endpoint_url,
        store_options=_with_timeout(store_options),
    )
    run = _Run(on_progress)
    folder = CompactionFolder(catalog.prefix)
    planner = Planner(catalog.store, folder, target_size, dry_run=dry_run)
    builder = FileBuilder(catalog.store, schema, options.sort_by, memory_limit, run.count)
    completion = Completion(catalog.store, folder, builder)
    async for hour, sources in _hours(catalog, folder, options.since, options.until):
        run.hour = hour
        for plan in await planner.plan(hour, sources):
            if dry_run:
                run.files.append(_planned(plan, folder))
                continue
            completed = await completion.complete(plan)
            run.add(completed.file, completed.broken)
    return CompactionReport(files=run.files, broken=run.broken)


class _Run:
    """Collects what was done, and reports the progress."""

    def __init__(self, on_progress: Callable[[CompactionProgress], None] | None) -> None:
        self.hour = datetime.min.replace(tzinfo=UTC)
        self.files: list[CompactedFile] = []
        self.broken: list[BrokenSource] = []
        self._sources = 0
        self._records = 0
        self._on_progress = on_progress

    def count(self, records: int, sources: int) -> None:
        self._records += records
        self._sources += sources
        self._report()

    def add(self, file: CompactedFile | None, broken: Sequence[BrokenSource]) -> None:
        self.broken += broken
        if file is not None:
            self.files.append(file)
        self._report()

    def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(CompactionProgress(self.hour, self._sources, self._records, len(self.files)))


def _with_timeout(store_options: Mapping[str, Any] | None) -> dict[str, Any]:
    options = dict(store_options or {})
    return {**options, "client_options": {"timeout": _REQUEST_TIMEOUT, **options.get("client_options", {})}}


def _planned(plan: Plan, folder: CompactionFolder) -> CompactedFile:
    return CompactedFile(hour=plan.hour, key=plan.file_key(folder), outcome="planned", sources=len(plan.sources))


async def _hours(
    catalog: Catalog, folder: CompactionFolder, since: datetime | None, until: datetime
) -> AsyncIterator[tuple[datetime, list[Source]]]:
    """Yield each hour that has sources or plans, with its sources; oldest first."""
    for start in await _days(catalog, folder, since, until):
        begin, end = max(start, since or start), min(start + _DAY, until)
        hours: dict[datetime, list[Source]] = defaultdict(list)
        async for each in catalog.objects(catalog.prefix, since=begin, until=end):
            hours[hour_of(each.name.arrival)].append(Source(each.key, each.size, each.name.suffix))
        for hour in await planned_hours(catalog.store, folder, begin, end):
            hours[hour]
        for hour in sorted(hours):
            yield hour, hours[hour]


async def _days(catalog: Catalog, folder: CompactionFolder, since: datetime | None, until: datetime) -> list[datetime]:
    """Return the beginnings of the days that may have objects. Without `since`, a listing finds them."""
    if since is not None:
        days = {_day_of(since)}
        while max(days) + _DAY < until:
            days.add(max(days) + _DAY)
        return sorted(days)
    days = {_day_of(hour) for hour in await planned_hours(catalog.store, folder, None, until)}
    async for each in catalog.objects(catalog.prefix, until=until):
        days.add(_day_of(each.name.arrival))
    return sorted(days)


def _day_of(time: datetime) -> datetime:
    return hour_of(time).replace(hour=0)
