"""Objects of S3, and of any obstore store, are read like those of a directory, with few requests and little memory."""

from __future__ import annotations

import io
import random
import threading
from datetime import UTC, datetime, timedelta

import boto3
import duckdb
import obstore.store
import pytest

from tests.batcher.support import record, truck
from truckstream.batcher import Batcher
from truckstream.data.query import object_files, query
from truckstream.data.query.object_files import ObjectFiles
from truckstream.errors import StoreError

BEGIN = datetime(2025, 1, 15, 14, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BUCKET = "asked"


@pytest.fixture(scope="module")
def bucket(moto_url):
    where = {"endpoint_url": moto_url, "region_name": "us-east-1"}
    s3 = boto3.client("s3", **where, aws_access_key_id="x", aws_secret_access_key="x")
    s3.create_bucket(Bucket=BUCKET)
    return where


@pytest.mark.parametrize("format_", ["ndjson", "json", "parquet"])
@pytest.mark.parametrize("layout", ["flat", "hive"])
async def test_a_bucket_answers(bucket, fake_credentials, format_, layout):  # noqa: ARG001
    where = f"s3://{BUCKET}/{format_} {layout}"
    batcher = Batcher(where, format=format_, layout=layout, **bucket)
    for hour in range(3):
        arrival = BEGIN.timestamp() + 3_600 * hour
        await batcher.process([record(truck(hour), hour, arrival=arrival), record(b"?", 100 + hour, arrival=arrival)])
    assert query("SELECT count(*), max(truck_id) FROM records", where, **bucket).fetchall() == [(3, "TRUCK_002")]
    sql = "SELECT reason, count(*) FROM rejected GROUP BY 1"
    assert query(sql, where, **bucket, since=BEGIN + timedelta(hours=1)).fetchall() == [("malformed_json", 2)]
    [(key,)] = query("SELECT object_key FROM records WHERE truck_id = 'TRUCK_001'", where, **bucket).fetchall()
    assert key.startswith("sensor_data/")


def test_an_empty_bucket_is_an_error(bucket, fake_credentials):  # noqa: ARG001
    with pytest.raises(StoreError, match="has no objects of the batcher"):
        query("FROM records", f"s3://{BUCKET}/nothing", **bucket)


def test_a_bucket_that_does_not_exist_is_an_error(bucket, fake_credentials):  # noqa: ARG001
    with pytest.raises(StoreError, match="NoSuchBucket"):
        query("FROM records", "s3://other", **bucket)


async def test_an_object_that_cannot_be_read_is_named(tmp_path):
    batcher = Batcher(tmp_path.as_uri())
    await batcher.process([record(truck(1), 1)])
    found = query("SELECT truck_id FROM records", obstore.store.LocalStore(tmp_path))
    assert found.fetchall() == [("TRUCK_001",)]
    (path,) = (tmp_path / "sensor_data").rglob("batch_*")
    other = obstore.store.MemoryStore()
    obstore.put(other, f"sensor_data/{path.name}", path.read_bytes())
    found = query("SELECT truck_id FROM records", other)
    obstore.delete(other, f"sensor_data/{path.name}")
    with pytest.raises(duckdb.Error, match=path.name):
        found.fetchall()


# --- Requests ---------------------------------------------------------------------------------------


class CountedStore:
    """Counts the requests, and those that are made at the same time."""

    def __init__(self, content=b"x" * 1_000):
        self.content = content
        self.read_keys = []
        self.ranges = []
        self.at_once = self.most_at_once = 0
        self.turn = threading.Lock()
        self.several = threading.Event()

    async def read(self, key):
        with self.turn:
            self.read_keys.append(key)
            self.at_once += 1
            if self.at_once > 1:
                self.several.set()
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.several.wait(20)  # the first request ends when another one has begun
        with self.turn:
            self.at_once -= 1
        return self.content

    async def read_range(self, _key, start, length):
        self.ranges.append((start, length))
        return self.content[start : start + length]


def files_of(store, count, size=1_000):
    return ObjectFiles(store, [(str(n), size, NOW) for n in range(count)])


def test_the_next_objects_are_fetched_at_the_same_time():
    store = CountedStore()
    files = files_of(store, 100)
    assert files.open("truckstream://0").read() == store.content
    assert store.most_at_once > 1
    for n in range(100):
        files.open(f"truckstream://{n}").read()
    assert sorted(store.read_keys, key=int) == [str(n) for n in range(100)]


def test_an_object_that_failed_is_fetched_again():
    class Failing(CountedStore):
        failures = 1

        async def read(self, key):
            if self.failures:
                self.failures -= 1
                raise StoreError("SlowDown", key)
            return self.content

    files = files_of(Failing(), 1)
    with pytest.raises(StoreError, match="SlowDown"):
        files.open("truckstream://0")
    assert files.open("truckstream://0").read() == b"x" * 1_000


async def test_of_a_large_object_only_parts_are_read(monkeypatch):
    """Also in the thread of an event loop, as here."""
    monkeypatch.setattr(object_files, "WHOLE_BYTES", 100)
    content = random.Random(1).randbytes(10_000)
    store = CountedStore(content)
    file = files_of(store, 1, size=len(content)).open("truckstream://0")
    expected = io.BytesIO(content)
    for offset, whence, size in ((9_000, 0, 10), (5, 1, 20), (-8, 2, 100), (0, 2, 5), (-100, 2, None), (0, 0, -1)):
        assert file.seek(offset, whence) == expected.seek(offset, whence)
        assert file.read(size) == expected.read(size)
        assert file.tell() == expected.tell()
    assert store.ranges[:3] == [(9_000, 10), (9_015, 20), (9_992, 8)]
    assert store.read_keys == []


async def test_duckdb_reads_large_objects(monkeypatch):
    monkeypatch.setattr(object_files, "WHOLE_BYTES", 100)
    for format_ in ("ndjson", "parquet"):
        store = obstore.store.MemoryStore()
        await Batcher(store, format=format_).process([record(truck(n), n) for n in range(300)])
        assert query("SELECT count(*), max(speed) FROM records", store).fetchall() == [(300, 65.4)]


def test_nothing_can_be_written():
    with pytest.raises(PermissionError, match="can only be read"):
        files_of(CountedStore(), 1).open("truckstream://0", "wb")


def test_an_object_that_was_not_listed_does_not_exist():
    files = files_of(CountedStore(), 1)
    assert files.glob("truckstream://7") == []
    assert not files.exists("truckstream://7")
    with pytest.raises(FileNotFoundError):
        files.open("truckstream://7")
