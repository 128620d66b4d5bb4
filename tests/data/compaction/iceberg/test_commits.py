"""Compactions that end in an Iceberg table."""

from __future__ import annotations

from datetime import timedelta

import obstore.store
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from tests.batcher.support import contents
from tests.data.compaction.support import BEGIN, fill, read_sources
from truckstream import TruckRecord, compact
from truckstream.data.compaction.iceberg.commits import file_url
from truckstream.data.compaction.iceberg.iceberg_table import IcebergTable
from truckstream.errors import ConfigurationError

NAME = "lake.trucks"


@pytest.fixture
def catalog(tmp_path):
    with SqlCatalog("test", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=tmp_path.as_uri()) as catalog:
        yield catalog


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a store").mkdir()
    return tmp_path / "a store"


def rows(catalog):
    """The records in the table, as tuples of their fields."""
    read = catalog.load_table(NAME).scan().to_arrow()
    return list(zip(*(read[name].to_pylist() for name in TruckRecord.__struct_fields__), strict=True))


async def test_the_table_has_each_record_once(catalog, folder):
    store = obstore.store.LocalStore(folder)
    await fill(store, hours=2)
    report = await compact(folder, iceberg_table=NAME, iceberg_catalog=catalog)
    assert report.committed == 2
    again = await compact(folder, iceberg_table=NAME, iceberg_catalog=catalog)
    assert again.committed == 0
    assert sorted(rows(catalog)) == sorted((await read_sources(store)).elements())


async def test_files_of_earlier_runs_are_added(catalog, folder):
    await fill(obstore.store.LocalStore(folder), hours=3)
    await compact(folder)
    options = {"iceberg_table": NAME, "iceberg_catalog": catalog}
    assert (await compact(folder, since=BEGIN + timedelta(hours=1), **options)).committed == 2
    assert (await compact(folder, **options)).committed == 1
    assert len(rows(catalog)) == 36


async def test_a_run_that_was_killed_before_its_mark_adds_nothing_twice(catalog, folder):
    store = obstore.store.LocalStore(folder)
    await fill(store)
    options = {"iceberg_table": NAME, "iceberg_catalog": catalog}
    await compact(folder, **options)
    [mark] = [key for key in contents(store) if "/_iceberg/" in key]
    store.delete(mark)
    assert (await compact(folder, **options)).committed == 0
    assert mark in contents(store)
    assert len(rows(catalog)) == 12


async def test_a_file_whose_rows_were_rewritten_is_not_added_again(catalog, folder, monkeypatch):
    """Maintenance of the table has replaced the file and expired its snapshot: only the mark knows."""
    await fill(obstore.store.LocalStore(folder))
    options = {"iceberg_table": NAME, "iceberg_catalog": catalog}
    await compact(folder, **options)
    table = catalog.load_table(NAME)
    table.overwrite(table.scan().to_arrow())
    monkeypatch.setattr(IcebergTable, "add", lambda *_: pytest.fail("the mark says that it was added"))
    assert (await compact(folder, **options)).committed == 0
    assert len(rows(catalog)) == 12


async def test_a_file_that_was_added_by_hand_is_not_added_again(catalog, folder):
    await fill(obstore.store.LocalStore(folder))
    await compact(folder, since=BEGIN + timedelta(days=1), iceberg_table=NAME, iceberg_catalog=catalog)
    report = await compact(folder)
    catalog.load_table(NAME).add_files([f"file://{folder}/{report.files[0].key}"])
    assert (await compact(folder, iceberg_table=NAME, iceberg_catalog=catalog)).committed == 0
    assert len(rows(catalog)) == 12


async def test_a_dry_run_adds_nothing(catalog, folder):
    await fill(obstore.store.LocalStore(folder))
    await compact(folder)
    assert (await compact(folder, dry_run=True, iceberg_table=NAME, iceberg_catalog=catalog)).committed == 0


async def test_a_store_needs_a_url(catalog):
    with pytest.raises(ConfigurationError, match="an Iceberg table names its files by URL"):
        await compact(obstore.store.MemoryStore(), iceberg_table=NAME, iceberg_catalog=catalog)


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("s3://bucket", "s3://bucket/compacted/a"),
        ("s3://bucket/folder/", "s3://bucket/folder/compacted/a"),
        ("file:///a%20store", "file:///a store/compacted/a"),
    ],
)
def test_the_url_of_a_file(store, expected):
    assert file_url(store, "compacted/a") == expected
