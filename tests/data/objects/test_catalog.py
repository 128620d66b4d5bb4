"""The catalog lists the objects that a batcher has made, in memory and in a directory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import obstore.store
import pytest

from tests.batcher.support import record
from truckstream.batcher import Batcher
from truckstream.data.objects.catalog import Catalog, store_url
from truckstream.errors import ConfigurationError, InvalidArgumentError

HOUR = 3_600
BEGIN = datetime(2025, 1, 15, 14, tzinfo=UTC)


@pytest.fixture(params=["memory", "directory"])
def store(request, tmp_path):
    return obstore.store.MemoryStore() if request.param == "memory" else obstore.store.LocalStore(tmp_path)


async def fill(store, **options):
    """Store an object of one record for each of six hours."""
    batcher = Batcher(store, schema=None, **options)
    for hour in range(6):
        await batcher.process([record(b"{}", hour, arrival=BEGIN.timestamp() + hour * HOUR)])


async def hours(catalog, **times):
    """The hours, from `BEGIN` on, of the objects in the order of the listing."""
    found = [each async for each in catalog.objects("sensor_data", **times)]
    return [(each.name.arrival - BEGIN) // timedelta(hours=1) for each in found]


@pytest.mark.parametrize("layout", ["flat", "hive"])
async def test_it_lists_the_objects_of_a_time(store, layout):
    await fill(store, layout=layout)
    catalog = Catalog(store)
    assert sorted(await hours(catalog)) == [0, 1, 2, 3, 4, 5]
    second, fifth = BEGIN + timedelta(hours=1), BEGIN + timedelta(hours=4)
    assert sorted(await hours(catalog, since=second, until=fifth)) == [1, 2, 3]
    assert sorted(await hours(catalog, since=fifth)) == [4, 5]
    assert await hours(catalog, until=BEGIN) == []
    elsewhere = timezone(timedelta(hours=5))
    assert sorted(await hours(catalog, since=fifth.astimezone(elsewhere))) == [4, 5]


async def test_it_lists_both_layouts(store):
    await fill(store, layout="flat")
    await fill(store, layout="hive")
    catalog = Catalog(store)
    assert sorted(await hours(catalog, since=BEGIN + timedelta(hours=2))) == [2, 2, 3, 3, 4, 4, 5, 5]


async def test_it_leaves_other_objects_out(store):
    await fill(store)
    for name in ("sensor_data/notes.json", "sensor_data/batch_index", "other/batch_2025-01-15T14-30-25_abcdefgh.json"):
        store.put(name, b"")
    assert len(await hours(Catalog(store))) == 6


async def test_an_ordered_listing_ends_after_the_time(monkeypatch):
    store = obstore.store.MemoryStore()
    await fill(store)
    monkeypatch.setattr("truckstream.batcher.object_store.threaded_store.LISTED_AT_ONCE", 1)
    catalog = Catalog(store)
    chunks = []

    async def counted(prefix, offset, original=catalog.store._store.list_async):
        async for chunk in original(prefix, offset):
            chunks.append(chunk)
            yield chunk

    catalog.store._store.list_async = counted
    assert await hours(catalog, until=BEGIN + timedelta(hours=2)) == [0, 1]
    assert sum(map(len, chunks)) == 3


async def test_it_reads_objects(store):
    await fill(store)
    catalog = Catalog(store)
    listed = [each async for each in catalog.objects("sensor_data")]
    assert await catalog.read(listed[0].key) == b"{}\n"
    assert all(each.size == 3 for each in listed)


async def test_a_time_needs_a_time_zone():
    catalog = Catalog(obstore.store.MemoryStore())
    with pytest.raises(InvalidArgumentError, match=r"since .* must have a time zone"):
        await hours(catalog, since=datetime(2025, 1, 15))  # noqa: DTZ001 - the point of the test


def test_a_store_may_be_the_path_of_a_directory(tmp_path, monkeypatch):
    (tmp_path / "an out").mkdir()
    monkeypatch.chdir(tmp_path)
    expected = (tmp_path / "an out").as_uri()
    assert store_url("an out") == store_url(tmp_path / "an out") == store_url(expected) == expected
    assert store_url("s3://bucket/folder") == "s3://bucket/folder"


@pytest.mark.parametrize("missing", ["nothing", "file:///nothing/here"])
def test_a_directory_must_exist(missing):
    with pytest.raises(ConfigurationError, match="there is no such directory"):
        store_url(missing)
