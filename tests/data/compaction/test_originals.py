"""The sources of complete files are tagged, and nothing else about them changes."""

from __future__ import annotations

import boto3
import pytest

from tests.data.compaction.support import fill
from truckstream import compact
from truckstream.batcher.object_store.open_store import open_store
from truckstream.data.compaction.manifests.manifest import CompactionFolder
from truckstream.data.compaction.manifests.manifest_reader import read_manifests
from truckstream.data.compaction.originals import TAG, Bucket, OriginalTags, bucket_of
from truckstream.data.objects.catalog import Catalog
from truckstream.errors import AwsError, ConfigurationError, InvalidArgumentError

pytestmark = pytest.mark.usefixtures("fake_credentials")

BUCKET = "truckstream-originals"


@pytest.fixture
def s3(moto_url):
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=moto_url)
    client.create_bucket(Bucket=BUCKET)
    yield client
    for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=each["Key"])
    client.delete_bucket(Bucket=BUCKET)


def keys(s3, prefix):
    return [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]


def tags(s3, key):
    found = s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
    return {each["Key"]: each["Value"] for each in found}


async def test_the_originals_get_a_tag_beside_those_that_they_have(s3, moto_url):
    url = f"s3://{BUCKET}/lake"
    where = {"region_name": "us-east-1", "endpoint_url": moto_url}
    store = open_store(url, prefix="sensor_data", **where)
    await fill(store._store._store)
    first, *_ = originals = [key for key in keys(s3, "lake/sensor_data/") if "/batch_" in key]
    mine = {"Key": "team", "Value": "trucks"}
    s3.put_object_tagging(Bucket=BUCKET, Key=first, Tagging={"TagSet": [mine]})
    report = await compact(url, originals="tier", **where)
    assert report.tagged == len(originals) == 4
    assert tags(s3, first) == {"team": "trucks", "truckstream-compacted": "true"}
    assert all(tags(s3, key)["truckstream-compacted"] == "true" for key in originals)
    assert [tags(s3, key) for key in keys(s3, "lake/compacted/")] == [{}] * len(keys(s3, "lake/compacted/"))
    assert (await compact(url, originals="tier", **where)).tagged == 0


class ScriptedAws:
    """An account whose calls are counted, and fail from the n-th on."""

    def __init__(self, fails_from=10**9, deleted=()):
        self.fails_from, self.deleted = fails_from, deleted
        self.calls = []

    async def find(self, service, operation, **parameters):
        assert service == "s3"
        self.calls.append((operation, parameters))
        if len(self.calls) >= self.fails_from:
            raise AwsError("AccessDenied", "no", operation=operation, hint="")
        if parameters["Key"] in self.deleted:
            return None
        return {"TagSet": []}


@pytest.fixture
async def store(tmp_path):
    await fill(Catalog(tmp_path).store._store._store._store)
    await compact(tmp_path)
    return Catalog(tmp_path)


async def tag(catalog, aws):
    [manifest] = await read_manifests(catalog)
    tags = OriginalTags(catalog.store, Bucket("b", "x/"), CompactionFolder("sensor_data"), aws)
    return manifest.sources, await tags.tag(manifest.hour)


async def test_a_run_that_failed_is_made_up_for(store):
    with pytest.raises(AwsError):
        await tag(store, ScriptedAws(fails_from=5))
    sources, tagged = await tag(store, aws := ScriptedAws())
    assert tagged == len(sources) == 4
    puts = [parameters for operation, parameters in aws.calls if operation == "put_object_tagging"]
    assert sorted(each["Key"] for each in puts) == sorted(f"x/{key}" for key in sources)
    assert {each["Bucket"] for each in puts} == {"b"}
    assert puts[0]["Tagging"] == {"TagSet": [TAG]}
    assert (await tag(store, ScriptedAws()))[1] == 0


async def test_a_deleted_source_needs_no_tag(store):
    [manifest] = await read_manifests(store)
    assert (await tag(store, ScriptedAws(deleted=[f"x/{manifest.sources[0]}"])))[1] == 3


@pytest.mark.parametrize(
    ("url", "bucket"), [("s3://b", Bucket("b", "")), ("s3://b/a/c/", Bucket("b", "a/c/")), ("s3://b/", Bucket("b", ""))]
)
def test_the_keys_of_a_bucket_begin_with_its_folder(url, bucket):
    assert bucket_of(url) == bucket


async def test_a_directory_has_no_tags(tmp_path):
    with pytest.raises(ConfigurationError, match="Only objects in S3 have tags"):
        await compact(tmp_path, originals="tier", region_name="us-east-1")


async def test_originals_are_kept_or_tagged(tmp_path):
    with pytest.raises(InvalidArgumentError, match="originals is 'delete': must be 'keep' or 'tier'"):
        await compact(tmp_path, originals="delete")
