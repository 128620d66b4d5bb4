"""The same on S3, as moto imitates it: listings of several pages, metadata in headers, and damaged objects."""

import asyncio

import boto3
import pytest

from tests.batcher.support import Small
from tests.data.audit.support import event
from tests.moto_server import running_moto
from truckstream.batcher import Batcher
from truckstream.batcher.object_store.store import Store
from truckstream.data.audit import audit
from truckstream.errors import StoreError

BUCKET = "trucks"


@pytest.fixture(scope="module")
def endpoint():
    with running_moto() as url:
        yield url


@pytest.fixture
def s3(endpoint, monkeypatch):
    """A client of a bucket that the batcher has filled, with two objects for one group and one for each other."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    batcher = Batcher(f"s3://{BUCKET}/lake", schema=Small, batch_size=5, compression="gzip", **at(endpoint))
    asyncio.run(batcher.process(event(0, 30, rejected=[12])))
    yield client
    for each in client.list_objects_v2(Bucket=BUCKET)["Contents"]:
        client.delete_object(Bucket=BUCKET, Key=each["Key"])


def at(endpoint):
    return {"region_name": "us-east-1", "endpoint_url": endpoint}


def verify(endpoint, **options):
    return asyncio.run(audit(f"s3://{BUCKET}/lake", settle=0, **at(endpoint), **options))


def keys(client, prefix):
    """Return the keys below a prefix in the order of their records."""
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix=f"lake/{prefix}")["Contents"]
    heads = {each["Key"]: client.head_object(Bucket=BUCKET, Key=each["Key"])["Metadata"] for each in listed}
    found = {key: metadata for key, metadata in heads.items() if metadata}
    return sorted(found, key=lambda key: int(found[key]["first-sequence-number"]))


def kinds(report):
    return [each.kind for each in report.findings]


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("quick", [False, True])
def test_a_bucket_without_damage(endpoint, quick):
    report = verify(endpoint, quick=quick)
    assert (report.findings, report.objects, report.without_metadata) == ((), 7, 0)
    assert (report.shards[0].valid, report.shards[0].rejected, report.shards[0].proven_links) == (29, 1, 5)


@pytest.mark.parametrize("prefix", ["sensor_data", "rejected"])
def test_a_deleted_object(endpoint, s3, prefix):
    key = keys(s3, prefix)[1 if prefix == "sensor_data" else 0]
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert kinds(verify(endpoint)) == ["hole" if prefix == "sensor_data" else "half_group"]


def test_a_copied_object(endpoint, s3):
    key = keys(s3, "sensor_data")[1]
    copy = key.replace(".json", "x.json")
    s3.copy_object(Bucket=BUCKET, Key=copy, CopySource={"Bucket": BUCKET, "Key": key})
    [found] = verify(endpoint).findings
    assert (found.kind, sorted(found.keys)) == ("duplicate", sorted(each.removeprefix("lake/") for each in (key, copy)))


@pytest.mark.parametrize("quick", [False, True])
def test_a_truncated_object(endpoint, s3, quick):
    key = keys(s3, "sensor_data")[1]
    found = s3.get_object(Bucket=BUCKET, Key=key)
    s3.put_object(Bucket=BUCKET, Key=key, Body=found["Body"].read()[:-4], Metadata=found["Metadata"])
    assert kinds(verify(endpoint, quick=quick)) == ["damaged"]


def test_an_object_that_vanishes_while_it_is_read_cannot_be_told(endpoint, s3, monkeypatch):
    key = keys(s3, "sensor_data")[-1].removeprefix("lake/")

    async def fetch(store, requested, original):
        if requested == key:
            s3.delete_object(Bucket=BUCKET, Key=f"lake/{key}")
        return await original(store, requested)

    original = Store.fetch
    monkeypatch.setattr(Store, "fetch", lambda store, requested: fetch(store, requested, original))
    report = verify(endpoint)
    assert (kinds(report), report.exit_status) == (["unreadable"], 2)
    assert report.findings[0].keys == (key,)


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_cannot_be_listed_raises(endpoint):
    with pytest.raises(StoreError):
        asyncio.run(audit("s3://nobody", **at(endpoint)))
