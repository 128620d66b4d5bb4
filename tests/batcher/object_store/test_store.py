"""The Batcher over obstore's stores: a directory, memory, and S3 simulated by moto."""

import asyncio
import contextlib
import os
import shutil

import boto3
import pytest

from tests.batcher.support import number, record, truck, trucks
from tests.moto_server import running_moto
from truckstream.batcher import Batcher
from truckstream.batcher.object_store.conditional_writes import PROBE_NAME


@pytest.fixture(scope="module")
def endpoint():
    with running_moto() as url:
        yield url


@pytest.fixture
def s3(endpoint, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket="trucks")
    yield client
    for found in client.list_objects_v2(Bucket="trucks").get("Contents", []):
        client.delete_object(Bucket="trucks", Key=found["Key"])
    client.close()


def batcher(endpoint, url="s3://trucks", **options):
    return Batcher(url, region_name="us-east-1", endpoint_url=endpoint, **options)


def keys(s3):
    """Return the keys of the objects that hold records."""
    found = [found["Key"] for found in s3.list_objects_v2(Bucket="trucks").get("Contents", [])]
    return [key for key in found if not key.endswith(PROBE_NAME)]


async def test_objects_on_s3_have_a_type_and_metadata(s3, endpoint):
    result = await batcher(endpoint).process([*trucks(699), record(b"?", 699), *trucks(10, 700)])
    assert keys(s3) == sorted(each.key for each in result.objects + result.rejected_objects)
    found = s3.get_object(Bucket="trucks", Key=result.objects[0].key)
    assert found["Body"].read() == b"".join(truck(n) + b"\n" for n in range(699))
    assert found["ContentType"] == "application/x-ndjson"
    assert found["Metadata"]["first-sequence-number"] == number(0)
    assert found["Metadata"]["last-sequence-number"] == number(699)
    assert (found["Metadata"]["records"], found["Metadata"]["lines"]) == ("700", "699")


async def test_a_412_of_s3_leads_to_adoption(s3, endpoint):
    first = await batcher(endpoint).process(trucks(1_500))
    again = await batcher(endpoint).process(trucks(2_000))
    assert [(each.records, each.outcome) for each in again.objects] == [
        (700, "already there"),
        (700, "already there"),
        (100, "adopted"),
        (500, "created"),
    ]
    assert again.objects[2].bytes == first.objects[2].bytes
    assert len(keys(s3)) == 4


async def test_only_one_of_many_concurrent_calls_creates_an_object(s3, endpoint):
    results = await asyncio.gather(*(batcher(endpoint).process(trucks(800)) for _ in range(6)))
    outcomes = sorted(result.objects[0].outcome for result in results)
    assert outcomes == ["already there"] * 5 + ["created"]
    assert {result.stored for result in results} == {800}
    assert len(keys(s3)) == 2


async def test_keys_on_s3_begin_with_the_folder_of_the_url(s3, endpoint):
    await batcher(endpoint, "s3://trucks/lake/raw", layout="hive").process(trucks(1))
    assert keys(s3)[0].startswith("lake/raw/sensor_data/year=2025/month=01/day=15/hour=14/batch_")


@pytest.mark.usefixtures("s3")
async def test_a_missing_bucket_is_reported_with_its_cause(endpoint):
    result = await batcher(endpoint, "s3://nobody").process(trucks(1))
    assert result.first_failed == number(0)
    assert "404" in str(result.causes[0])


@pytest.mark.usefixtures("s3")
async def test_an_unreachable_endpoint_is_reported_with_its_cause():
    result = await batcher("http://127.0.0.1:9", max_attempts=2).process(trucks(1))
    assert result.first_failed == number(0)
    assert "Connection refused" in str(result.causes[0])


@pytest.mark.parametrize("name", ["plain", "a b%20c", "100% #1?", "käse"])
async def test_a_directory_of_any_name_is_created(tmp_path, name):
    folder = tmp_path / name / "deeper"
    result = await Batcher(folder.as_uri()).process([*trucks(3), record(b"?", 3)])
    stored = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.json"))
    assert stored == sorted(each.key for each in result.objects + result.rejected_objects)
    assert (folder / result.objects[0].key).read_bytes() == b"".join(truck(n) + b"\n" for n in range(3))


async def test_objects_in_a_directory_without_metadata_are_adopted_by_content(tmp_path):
    """Earlier versions wrote no metadata beside the objects of a directory."""
    url = tmp_path.as_uri()
    await Batcher(url).process([*trucks(900), record(b"?", 900)])
    shutil.rmtree(tmp_path / ".truckstream")
    result = await Batcher(url).process([*trucks(900), record(b"?", 900), *trucks(700, 901)])
    assert [(each.records, each.outcome) for each in result.objects] == [
        (700, "already there"),
        (200, "adopted"),
        (700, "created"),
    ]
    assert [each.outcome for each in result.rejected_objects] == []
    assert (result.stored, result.rejected) == (1_600, 1)


async def test_a_directory_shows_whole_objects_only(tmp_path):
    """A reader never sees an object that is only partly written."""
    seen = set()

    def look():
        for path in tmp_path.rglob("*.json"):
            seen.add(path.read_bytes().count(b"\n"))

    task = asyncio.create_task(Batcher(tmp_path.as_uri()).process(trucks(4_900)))
    while not task.done():
        look()
        await asyncio.sleep(0)
    look()
    assert seen == {700}


@contextlib.contextmanager
def without_root():
    """Run as another user if the tests run as root, because root may write anywhere."""
    if os.geteuid():
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_read_only_directory_is_reported(tmp_path):
    batcher = Batcher(tmp_path.as_uri())
    tmp_path.chmod(0o500)
    with without_root():
        result = await batcher.process(trucks(1))
    tmp_path.chmod(0o700)
    assert result.first_failed == number(0)


def test_a_file_in_place_of_a_directory_is_reported(tmp_path):
    (tmp_path / "sensor_data").write_text("in the way")
    result = asyncio.run(Batcher(tmp_path.as_uri()).process(trucks(1)))
    assert result.first_failed == number(0)


async def test_a_memory_store_lasts_as_long_as_its_batcher():
    batcher = Batcher("memory:///")
    await batcher.process(trucks(10))
    assert (await batcher.process(trucks(20))).objects[0].outcome == "adopted"
