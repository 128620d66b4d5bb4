"""Compactions of whole stores: each record is in one place before, during and after."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import arro3.io
import duckdb
import obstore.store
import pytest

from tests.batcher.support import contents, record, truck
from tests.data.compaction.support import BEGIN, KINDS, fill, read_once, read_parquet, read_sources
from truckstream import compact
from truckstream.batcher import Batcher
from truckstream.batcher.object_store.store import Store
from truckstream.batcher.storing.object_metadata import ObjectMetadata
from truckstream.data.compaction.files.parquet_file import ParquetStage
from truckstream.data.compaction.manifests.manifest_reader import read_manifests, read_source_facts
from truckstream.data.objects.catalog import Catalog
from truckstream.errors import ChecksumError, ConfigurationError, InvalidArgumentError

HOUR = timedelta(hours=1)


@pytest.fixture(params=["memory", "directory"])
def store(request, tmp_path):
    if request.param == "memory":
        return obstore.store.MemoryStore()
    (tmp_path / "store").mkdir()
    return obstore.store.LocalStore(tmp_path / "store")


async def test_every_kind_of_source_is_compacted(store, tmp_path):
    records = await fill(store, hours=2, per_hour=2 * len(KINDS))
    before = await read_sources(store)
    report = await compact(store)
    assert report.clean
    assert report.records == records == before.total()
    assert [(each.hour, each.outcome, each.sources) for each in report.files] == [
        (BEGIN, "created", 16),
        (BEGIN + HOUR, "created", 16),
    ]
    assert await read_once(store, tmp_path) == before
    assert await read_sources(store) == before


async def test_a_query_on_the_folders_alone_finds_each_record_once(tmp_path):
    """Athena, Spark and DuckDB need no manifest once an hour is compacted."""
    await fill(obstore.store.LocalStore(tmp_path), hours=2, per_hour=8)
    before = await read_sources(obstore.store.LocalStore(tmp_path))
    await compact(tmp_path)
    assert read_parquet(tmp_path / "compacted" / "**" / "*.parquet") == before
    counts = duckdb.execute(
        "SELECT year, month, day, hour, count(*) FROM read_parquet(?, hive_partitioning=true, "
        "hive_types={'year': INT, 'month': INT, 'day': INT, 'hour': INT}) GROUP BY ALL ORDER BY ALL",
        [f"{tmp_path}/compacted/sensor_data/**/*.parquet"],
    ).fetchall()
    assert counts == [(2025, 1, 15, 14, 24), (2025, 1, 15, 15, 24)]


async def test_the_rows_are_sorted_by_truck_and_time(tmp_path):
    await fill(obstore.store.LocalStore(tmp_path), per_hour=6)
    report = await compact(tmp_path)
    table = arro3.io.read_parquet(tmp_path / report.files[0].key).read_all()
    rows = list(zip(table.column("truck_id").to_pylist(), table.column("timestamp").to_pylist(), strict=True))
    assert rows == sorted(rows)
    assert len({truck for truck, _ in rows}) == 3


async def test_a_second_run_has_nothing_to_do(store):
    await fill(store)
    await compact(store)
    before = contents(store)
    assert (await compact(store)).files == []
    assert contents(store) == before


async def test_late_objects_make_a_second_file(store, tmp_path):
    await fill(store)
    first = await compact(store)
    await fill(store, first=100)
    second = await compact(store)
    assert [each.sources for each in (*first.files, *second.files)] == [4, 4]
    assert first.files[0].hour == second.files[0].hour
    assert await read_once(store, tmp_path) == await read_sources(store)


async def test_a_large_hour_makes_several_files(store, tmp_path, monkeypatch):
    monkeypatch.setattr("truckstream.data.compaction.options._SIZES", range(1, 10_000))
    await fill(store, per_hour=6, kinds=KINDS[:1])
    report = await compact(store, target_size=700)
    assert len(report.files) > 1
    assert sum(each.sources for each in report.files) == 6
    assert await read_once(store, tmp_path) == await read_sources(store)


async def test_the_manifest_has_the_facts_of_the_file(store):
    await fill(store)
    report = await compact(store)
    catalog = Catalog(store)
    [manifest] = await read_manifests(catalog)
    content = await catalog.read(manifest.file)
    assert (manifest.file, manifest.records) == (report.files[0].key, 12)
    assert (manifest.size, manifest.sha256) == (len(content), sha256(content).hexdigest())
    assert sorted(manifest.sources) == [key for key in sorted(contents(store)) if key.startswith("sensor_data")]


async def test_the_facts_of_the_sources_outlive_them():
    """They prove the records of the file complete after the sources were deleted."""
    store = obstore.store.MemoryStore()
    await fill(store)
    catalog = Catalog(store)
    await compact(store)
    [manifest] = await read_manifests(catalog)
    facts = await read_source_facts(catalog, manifest)
    assert sorted(facts) == sorted(manifest.sources)
    for key, each in facts.items():
        looked = await catalog.store.look(key)
        assert (each.records, each.size) == (3, looked.size)
        assert ObjectMetadata.read(each.metadata) == ObjectMetadata.read(looked.metadata)


async def test_unfinished_files_of_killed_runs_are_removed(tmp_path):
    """Obstore writes to a name with # first. No pattern such as *.parquet finds it."""
    store = obstore.store.LocalStore(tmp_path)
    await fill(store)
    report = await compact(store)
    [manifest] = (tmp_path / "compacted/sensor_data/_manifests").iterdir()
    left = [tmp_path / f"{report.files[0].key}#1", manifest.with_name(f"{manifest.name}#2")]
    for path in left:
        path.write_bytes(b"PAR1")
        os.utime(path, (0, 0))
    await fill(store, first=100)
    await compact(store)
    assert [path.exists() for path in left] == [False, False]


async def test_work_folders_of_killed_runs_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = obstore.store.MemoryStore()
    await fill(store)
    abandoned, alive, foreign = (
        tmp_path / f"{name}x" for name in ("truckstream-compact-a", "truckstream-compact-b", "")
    )
    for folder in (abandoned, alive, foreign):
        folder.mkdir()
        (folder / "rows.duckdb").write_bytes(b"rows")
        os.utime(folder, (0, 0))
    os.utime(abandoned / "rows.duckdb", (0, 0))
    os.utime(foreign / "rows.duckdb", (0, 0))
    await compact(store)
    assert sorted(tmp_path.iterdir()) == sorted([alive, foreign])


async def test_a_dry_run_changes_nothing(store):
    await fill(store, hours=2)
    before = contents(store)
    planned = await compact(store, dry_run=True)
    assert contents(store) == before
    assert [(each.outcome, each.records) for each in planned.files] == [("planned", None)] * 2
    made = await compact(store)
    assert [(each.key, each.sources) for each in made.files] == [(each.key, each.sources) for each in planned.files]


async def test_only_the_hours_of_the_time_are_compacted(store):
    await fill(store, hours=4)
    report = await compact(store, since=BEGIN + HOUR, until=BEGIN + 3 * HOUR)
    assert [each.hour for each in report.files] == [BEGIN + HOUR, BEGIN + 2 * HOUR]
    report = await compact(store, since=BEGIN + timedelta(minutes=1), until=BEGIN + timedelta(hours=3, minutes=1))
    assert [each.hour for each in report.files] == [BEGIN + 3 * HOUR]
    report = await compact(store, until=BEGIN + HOUR)
    assert [each.hour for each in report.files] == [BEGIN]


async def test_an_hour_waits_until_it_is_over_for_the_grace_period(store):
    now = datetime.now(UTC)
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    for n, hours_ago in enumerate((0, 1, 2, 3)):
        arrival = (this_hour - hours_ago * HOUR).timestamp()
        await Batcher(store).process([record(truck(n), n, arrival=arrival)])
    report = await compact(store, grace=2 * HOUR)
    assert [each.hour for each in report.files] == [this_hour - 3 * HOUR]
    report = await compact(store, grace=timedelta(0), until=this_hour + HOUR)
    assert [each.hour for each in report.files] == [this_hour - 2 * HOUR, this_hour - HOUR]


async def test_objects_lie_in_the_hour_of_their_arrival(store, tmp_path):
    """With event_time the folder of an object is another one than that of its arrival."""
    arrival = BEGIN + timedelta(minutes=5)
    early = truck(1, timestamp="2025-01-15T03:00:00Z")
    await Batcher(store, layout="hive", event_time="timestamp").process([record(early, arrival=arrival.timestamp())])
    assert [key for key in contents(store) if "hour=03/batch_2025-01-15T14" in key]
    report = await compact(store, since=BEGIN, until=BEGIN + HOUR)
    assert [each.hour for each in report.files] == [BEGIN]
    assert await read_once(store, tmp_path) == await read_sources(store)


async def test_a_broken_source_is_named_and_left_out(store, tmp_path):
    await fill(store, kinds=KINDS[:2])
    whole = await read_sources(store)
    key = min(contents(store))
    good = contents(store)[key]
    store.put(key, good[:-5])
    report = await compact(store)
    assert not report.clean
    [broken] = report.broken
    assert broken.key == key
    assert "cut off" in broken.problem
    assert [each.sources for each in report.files] == [3]
    again = await compact(store)
    assert (again.files, [each.key for each in again.broken]) == ([], [key])
    store.put(key, good)
    repaired = await compact(store)
    assert repaired.clean
    assert [each.sources for each in repaired.files] == [1]
    assert await read_once(store, tmp_path) == whole


async def test_an_hour_of_broken_sources_has_no_file(store):
    await fill(store, per_hour=2, kinds=KINDS[:1])
    for key in contents(store):
        store.put(key, b"oops\n")
    report = await compact(store)
    assert (report.files, len(report.broken)) == ([], 2)
    assert not any(key.endswith(".parquet") for key in contents(store, "compacted"))
    assert await read_manifests(Catalog(store)) == []


async def test_a_source_that_disappears_is_named(store, monkeypatch):
    """A lifecycle rule may delete an object after it was listed."""
    await fill(store, kinds=KINDS[:1])
    gone, unread = sorted(contents(store))[:2]
    look, read = Store.look, Store.read

    async def look_too_late(self, key):
        return None if key == gone else await look(self, key)

    async def read_too_late(self, key):
        if key == unread:
            store.delete(key)
        return await read(self, key)

    monkeypatch.setattr(Store, "look", look_too_late)
    monkeypatch.setattr(Store, "read", read_too_late)
    report = await compact(store)
    assert [each.key for each in report.broken] == [gone, unread]
    assert {each.problem for each in report.broken} == {"it is not in the store any more"}
    assert [each.sources for each in report.files] == [2]


async def test_a_file_that_does_not_hold_its_sources_is_not_stored(store, monkeypatch):
    await fill(store)
    add = ParquetStage.add

    def add_and_lose(self, tables):
        add(self, tables)
        self._run("DELETE FROM rows WHERE truck_id = 'TRUCK_001'")

    monkeypatch.setattr(ParquetStage, "add", add_and_lose)
    with pytest.raises(ChecksumError, match="Nothing was stored"):
        await compact(store)
    assert not any(key.endswith(".parquet") for key in contents(store, "compacted"))
    monkeypatch.undo()
    assert (await compact(store)).records == 12


async def test_progress_is_reported(store):
    await fill(store, hours=2)
    seen = []
    await compact(store, on_progress=seen.append)
    assert [each.records for each in seen] == [12, 12, 24, 24]
    assert [each.files for each in seen] == [0, 1, 1, 2]
    assert seen[-1].hour == BEGIN + HOUR


async def test_an_empty_store_has_nothing_to_compact(store):
    report = await compact(store)
    assert (report.files, report.broken) == ([], [])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sort_by": ["truck"]}, "sort_by is 'truck': must be a field of the schema"),
        ({"target_size": 5}, "target_size is 5: must be from 1 MiB"),
        ({"grace": -HOUR}, "grace .* must not be negative"),
        ({"since": datetime(2025, 1, 15)}, "since .* must have a time zone"),  # noqa: DTZ001 - the point of the test
        ({"schema": dict}, "schema .* must be a msgspec.Struct"),
    ],
)
async def test_a_wrong_option_is_named(options, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        await compact(obstore.store.MemoryStore(), **options)


async def test_a_wrong_memory_limit_is_named():
    store = obstore.store.MemoryStore()
    await fill(store)
    with pytest.raises(ConfigurationError, match="memory_limit is 'lots'"):
        await compact(store, memory_limit="lots")


async def test_the_counter_of_the_tests_sees_a_double(store):
    """The tests above compare counters of rows: one row more or less must differ."""
    await fill(store)
    found = await read_sources(store)
    assert found != found + Counter([next(iter(found))])
