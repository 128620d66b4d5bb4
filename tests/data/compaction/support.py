"""Sources for tests of the compaction, and the records that a reader finds."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from tests.batcher.support import record
from truckstream.batcher import Batcher
from truckstream.data.compaction.files.source_rows import SourceRows
from truckstream.data.compaction.manifests.manifest import select_objects
from truckstream.data.compaction.manifests.manifest_reader import read_manifests
from truckstream.data.objects.catalog import Catalog
from truckstream.fleet import Fleet
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = datetime(2025, 1, 15, 14, tzinfo=UTC)

#: Every format, compression and layout of the batcher.
KINDS: list[dict[str, Any]] = [
    {"format": "ndjson"},
    {"format": "ndjson", "compression": "gzip", "add_stream_fields": True},
    {"format": "ndjson", "compression": "zstd", "layout": "hive"},
    {"format": "json", "layout": "hive", "event_time": "timestamp"},
    {"format": "json", "compression": "gzip"},
    {"format": "json", "compression": "zstd"},
    {"format": "parquet", "layout": "hive"},
    {"format": "parquet", "add_stream_fields": True},
]


async def fill(
    store: Any, *, hours: int = 1, per_hour: int = 4, kinds: list[dict[str, Any]] | None = None, first: int = 0
) -> int:
    """Store objects of three truck records each, `per_hour` in each hour, of all kinds in turn. Return the records."""
    kinds = KINDS if kinds is None else kinds
    for n in range(hours * per_hour):
        hour, place = divmod(n, per_hour)
        arrival = BEGIN + timedelta(hours=hour, minutes=50 * place // per_hour, seconds=first)
        fleet = Fleet(3, seed=first + n, start=arrival)
        batcher = Batcher(store, **kinds[(first + n) % len(kinds)])
        numbers = range(10 * (first + n), 10 * (first + n) + 3)
        reports = zip(numbers, fleet.take(3), strict=True)
        await batcher.process([record(report.data, m, arrival=arrival.timestamp()) for m, report in reports])
    return 3 * hours * per_hour


def rows_of(table: Any) -> Counter[Any]:
    """Count the rows by their fields. The stream fields are left out: not every source has them."""
    names = [name for name in table.column_names if not name.startswith("kinesis_")]
    return Counter(zip(*(table.column(name).to_pylist() for name in names), strict=True))


async def read_sources(store: Any) -> Counter[Any]:
    """Return the records of all sources."""
    catalog = Catalog(store)
    return await _read(catalog, [each async for each in catalog.objects("sensor_data")])


async def _read(catalog: Catalog, sources: list[Any]) -> Counter[Any]:
    rows = SourceRows(TruckRecord)
    found: Counter[Any] = Counter()
    for each in sources:
        found += rows_of(rows.read(each.name.suffix, await catalog.read(each.key)))
    return found


async def read_once(store: Any, folder: Path) -> Counter[Any]:
    """Return the records as a reader finds them that knows the manifests."""
    catalog = Catalog(store)
    listed = [each async for each in catalog.objects("sensor_data")]
    selection = select_objects(listed, await read_manifests(catalog))
    found = await _read(catalog, selection.sources)
    for number, each in enumerate(selection.files):
        content = await catalog.read(each.file)
        assert len(content) == each.size
        path = folder / f"{number}.parquet"
        path.write_bytes(content)
        found += read_parquet(path)
    return found


def read_parquet(pattern: Path) -> Counter[Any]:
    """Return the records of compacted files, as DuckDB reads them."""
    fields = ", ".join(TruckRecord.__struct_fields__)
    return Counter(duckdb.execute(f"SELECT {fields} FROM read_parquet(?)", [str(pattern)]).fetchall())
