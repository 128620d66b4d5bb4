"""The option `storage_class`: S3 creates the objects in that class; other stores have none."""

import pytest

from tests.batcher.s3_stub import S3Stub
from tests.batcher.support import Small, numbers, small
from truckstream.batcher import Batcher
from truckstream.errors import ConfigurationError


@pytest.fixture
def s3(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    stub = S3Stub()
    with stub.running() as stub.url:
        yield stub


def batcher(s3, **options):
    return Batcher("s3://trucks", region_name="us-east-1", endpoint_url=s3.url, schema=Small, batch_size=10, **options)


async def test_every_object_is_created_in_the_class(s3):
    event = [*numbers(9), small(9, good=False)]
    result = await batcher(s3, storage_class="INTELLIGENT_TIERING").process(event)
    assert (result.stored, result.rejected) == (9, 1)
    puts = [headers for verb, _, headers, _ in s3.requests if verb == "PUT"]
    assert [headers["x-amz-storage-class"] for headers in puts] == ["INTELLIGENT_TIERING"] * 2


async def test_without_the_option_no_class_is_requested(s3):
    await batcher(s3).process(numbers(10))
    assert all("x-amz-storage-class" not in headers for _, _, headers, _ in s3.requests)


@pytest.mark.parametrize(
    ("url", "name", "message"),
    [
        ("s3://trucks", "GLACIER", "storage_class is 'GLACIER'.*INTELLIGENT_TIERING"),
        ("memory:///", "STANDARD_IA", "Only S3 has classes"),
    ],
)
def test_a_class_that_cannot_be_used_is_rejected(url, name, message):
    """A redelivery reads objects, which S3 must first restore in the archive classes."""
    with pytest.raises(ConfigurationError, match=message):
        Batcher(url, storage_class=name)
