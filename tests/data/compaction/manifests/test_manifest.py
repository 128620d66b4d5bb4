"""Manifests: their keys, their content, and the choice of the objects to read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import obstore.store
import pytest

from truckstream.data.compaction.manifests.manifest import (
    CompactionFolder,
    HourNumber,
    Manifest,
    encode_document,
    hour_of,
    numbered_key,
    parse_numbered_key,
    select_objects,
)
from truckstream.data.compaction.manifests.manifest_reader import read_manifests
from truckstream.data.objects.catalog import Catalog, ListedObject
from truckstream.data.objects.object_name import ObjectName
from truckstream.errors import StoreError

HOUR = datetime(2025, 1, 15, 14, tzinfo=UTC)
FOLDER = CompactionFolder("sensor_data")


def source(minute, suffix="abcdefgh"):
    arrival = HOUR + timedelta(minutes=minute)
    key = f"sensor_data/batch_{arrival:%Y-%m-%dT%H-%M-%S}_{suffix}.json"
    return ListedObject(key, 100, arrival, ObjectName.parse(key))


def manifest(number, *sources, hour=HOUR):
    keys = [each.key for each in sources]
    file = FOLDER.file_key(hour, keys)
    return Manifest(hour=hour, number=number, file=file, size=9, sha256="ab", records=3, sources=keys)


def put(store, *manifests):
    for each in manifests:
        store.put(numbered_key(FOLDER.manifests, HourNumber(each.hour, each.number)), each.encode())


def test_a_file_is_named_by_its_hour_and_the_digest_of_its_sources():
    key = FOLDER.file_key(HOUR, ["a", "b"])
    assert key == (
        "compacted/sensor_data/year=2025/month=01/day=15/hour=14/"
        "hour_2025-01-15T14_0c84cf75ee142f818515ab54bd107d86.parquet"
    )
    assert FOLDER.file_key(HOUR, ["b", "a"]) == key
    assert FOLDER.file_key(HOUR, ["a"]) != key


def test_a_compacted_file_is_no_source():
    assert ObjectName.parse(FOLDER.file_key(HOUR, ["a"])) is None
    assert ObjectName.parse(numbered_key(FOLDER.manifests, HourNumber(HOUR, 1))) is None


def test_without_a_prefix_compactions_lie_at_the_top():
    assert CompactionFolder("").manifests == "compacted/_manifests"
    assert CompactionFolder("a/b").plans == "compacted/a/b/_plans"


def test_the_key_of_a_manifest_says_which_compaction_it_is():
    at = HourNumber(HOUR, 12)
    key = numbered_key(FOLDER.manifests, at)
    assert key == "compacted/sensor_data/_manifests/2025-01-15T14_00012.json.gz"
    assert parse_numbered_key(key) == at


@pytest.mark.parametrize("name", ["2025-01-15T14.json.gz", "2025-13-15T14_00001.json.gz", "notes.txt"])
def test_other_objects_are_no_manifests(name):
    assert parse_numbered_key(f"compacted/sensor_data/_manifests/{name}") is None


def test_an_hour_begins_in_utc():
    elsewhere = datetime.fromisoformat("2025-01-15T19:45:00+05:30")
    assert hour_of(elsewhere) == HOUR


def test_a_manifest_is_read_as_it_was_written():
    made = manifest(1, source(0), source(1))
    assert Manifest.decode("key", made.encode()) == made
    assert made.encode() == made.encode()


def test_each_record_is_read_once():
    """Sources in a file are left out, and late ones are read. A file counts although its sources were deleted."""
    early, deleted, late = source(0), source(1), source(2)
    file = manifest(1, early, deleted)
    selection = select_objects([early, late], [file])
    assert selection.files == [file]
    assert selection.sources == [late]


def test_without_manifests_all_sources_are_read():
    listed = [source(0), source(1)]
    assert select_objects(listed, []) == ([], listed)


@pytest.fixture(params=["memory", "directory"])
def store(request, tmp_path):
    return obstore.store.MemoryStore() if request.param == "memory" else obstore.store.LocalStore(tmp_path)


async def test_the_manifests_of_a_time_are_read(store):
    hours = [HOUR + timedelta(hours=n) for n in range(4)]
    made = [manifest(n, source(n), hour=hour) for hour in hours for n in (1, 2)]
    put(store, *made)
    catalog = Catalog(store)
    assert await read_manifests(catalog) == made
    assert await read_manifests(catalog, since=hours[1], until=hours[3]) == made[2:6]
    assert await read_manifests(catalog, since=hours[1] + timedelta(minutes=30)) == made[2:]
    assert await read_manifests(catalog, until=hours[1] + timedelta(seconds=1)) == made[:4]


async def test_a_store_without_compactions_has_no_manifests(store):
    assert await read_manifests(Catalog(store)) == []


async def test_plans_files_and_other_objects_are_no_manifests(store):
    store.put(numbered_key(FOLDER.plans, HourNumber(HOUR, 1)), b"")
    store.put(f"{FOLDER.manifests}/notes.txt", b"")
    store.put(f"{FOLDER.manifests}/more/2025-01-15T14_00001.json", b"")
    assert await read_manifests(Catalog(store)) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not compressed with gzip"),
        (manifest(1).encode()[:-9], "not compressed with gzip"),
        (encode_document(msgspec.defstruct("Other", [("version", int, 1)])()), "missing required field"),
        (encode_document(msgspec.structs.replace(manifest(1), version=2)), "its version is 2"),
    ],
)
async def test_a_broken_manifest_is_an_error_that_names_it(store, content, problem):
    key = numbered_key(FOLDER.manifests, HourNumber(HOUR, 1))
    store.put(key, content)
    with pytest.raises(StoreError, match=rf"{key} cannot be read: .*{problem}") as raised:
        await read_manifests(Catalog(store))
    assert not raised.value.retryable
