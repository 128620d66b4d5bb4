"""The local S3 as a client sees it."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from truckstream.errors import UsageError
from truckstream.local.s3 import LocalS3, S3Fault, local_s3


@pytest.fixture
def client(s3_store):
    client = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))
    assert client.meta.endpoint_url == s3_store.endpoint_url
    yield client
    client.close()


def test_each_test_has_an_empty_bucket_that_clients_use(client, s3_store):
    assert s3_store.objects() == {}
    client.put_object(Bucket=s3_store.bucket, Key="a/b", Body=b"x")
    assert s3_store.objects("a") == {"a/b": b"x"}
    s3_store.reset()
    assert s3_store.objects() == {}


@pytest.mark.parametrize(
    ("kind", "code"),
    [("slow-down", "SlowDown"), ("internal-error", "InternalError"), ("access-denied", "AccessDenied")],
)
def test_a_response_with_an_error_stores_nothing(kind, code, client, s3_store):
    s3_store.set_faults(S3Fault(kind, count=1))
    with pytest.raises(ClientError, match=code):
        client.put_object(Bucket=s3_store.bucket, Key="a", Body=b"x")
    assert s3_store.objects() == {}
    client.put_object(Bucket=s3_store.bucket, Key="a", Body=b"y")
    assert (s3_store.objects(), s3_store.hits) == ({"a": b"y"}, {kind: 1})


@pytest.mark.parametrize(("kind", "stored"), [("reset-before", {}), ("reset-after", {"a": b"x"})])
def test_a_reset_comes_before_or_after_the_object_is_stored(kind, stored, client, s3_store):
    s3_store.set_faults(S3Fault(kind, count=1))
    with pytest.raises(ConnectionClosedError):
        client.put_object(Bucket=s3_store.bucket, Key="a", Body=b"x")
    assert s3_store.objects() == stored


def test_a_fault_of_listings_strikes_nothing_else(client, s3_store):
    client.put_object(Bucket=s3_store.bucket, Key="a", Body=b"x")
    s3_store.set_faults(S3Fault("slow-down", method="LIST", count=1))
    assert client.get_object(Bucket=s3_store.bucket, Key="a")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="SlowDown"):
        client.list_objects_v2(Bucket=s3_store.bucket)
    assert client.list_objects_v2(Bucket=s3_store.bucket)["KeyCount"] == 1


def test_a_missing_moto_is_named(monkeypatch):
    monkeypatch.setattr(local_s3, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"moto: pip install 'truckstream\[local-s3\]'"), LocalS3():
        pass
