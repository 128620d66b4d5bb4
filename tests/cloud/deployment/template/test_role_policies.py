"""The template's policies for the function and for producers allow the calls that these make, and no others."""

import re

import pytest

from tests.batcher.support import trucks
from tests.cloud.iam_evaluator import Call, allows
from tests.cloud.parsed_template import ROOT
from tests.cloud.resolved_template import ACCOUNT, properties_of, references
from tests.runtime.support import Bucket
from truckstream.batcher import Batcher


def names(**conditions):
    return references(Bucket="lake", FailedBucket="acme-failedbucket-1", StreamName="trucks", **conditions)


KEYS = ["arn:aws:kms:us-east-1:0:key/2", "arn:aws:kms:us-east-1:0:key/3"]


def role_documents(**conditions):
    [policy] = properties_of("FunctionRole", names(**conditions))["Policies"]
    return [policy["PolicyDocument"]]


def bucket_documents():
    return [properties_of("BucketPolicy", names())["PolicyDocument"]]


async def test_the_function_may_make_every_call_of_the_batcher(monkeypatch):
    """The batcher creates objects, finds them at a redelivery, and stores rejected records.

    The policies of the role and of the bucket must allow each of its requests.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    async with Bucket() as bucket:
        batcher = Batcher("s3://lake", region_name="us-east-1", endpoint_url=bucket.endpoint_url, batch_size=10)
        bad = trucks(1, 25)
        bad[0]["kinesis"]["data"] = "IQ=="
        for records in (trucks(25), [*trucks(25), *bad], trucks(20, 5)):
            await batcher.process(records)
    calls = [s3_call(*request) for request in bucket.requests]
    assert {call.action for call in calls} == {"s3:PutObject", "s3:GetObject"}
    assert {call.resource.split("/")[1] for call in calls} == {"sensor_data", "rejected"}
    documents = role_documents() + bucket_documents()
    assert [call for call in calls if not allows(documents, call)] == []


def s3_call(method, path, headers):
    _, bucket, key = path.split("/", 2)
    context = dict(SAFE)
    if "If-None-Match" in headers:
        context["s3:if-none-match"] = headers["If-None-Match"]
    action = {"PUT": "s3:PutObject", "GET": "s3:GetObject", "HEAD": "s3:GetObject"}[method]
    return Call(action, f"arn:aws:s3:::{bucket}/{key}", context)


SAFE = {
    "aws:SecureTransport": "true",
    "s3:TlsVersion": "1.3",
    "s3:ObjectCreationOperation": "true",
    "s3:ResourceAccount": ACCOUNT,
}


@pytest.mark.parametrize(
    ("reason", "call"),
    [
        ("overwrites an object", Call("s3:PutObject", "arn:aws:s3:::lake/sensor_data/x", SAFE)),
        (
            "without TLS",
            Call("s3:GetObject", "arn:aws:s3:::lake/sensor_data/x", SAFE | {"aws:SecureTransport": "false"}),
        ),
        ("with old TLS", Call("s3:GetObject", "arn:aws:s3:::lake/sensor_data/x", SAFE | {"s3:TlsVersion": "1.1"})),
        ("outside its prefixes", Call("s3:PutObject", "arn:aws:s3:::lake/athena-results/x", SAFE)),
        (
            "a bucket of that name in another account",
            Call("s3:GetObject", "arn:aws:s3:::lake/sensor_data/x", SAFE | {"s3:ResourceAccount": "111111111111"}),
        ),
        ("a failed delivery in its own bucket", Call("s3:PutObject", "arn:aws:s3:::lake/aws/lambda/x", SAFE)),
        ("reads failed deliveries", Call("s3:GetObject", "arn:aws:s3:::acme-failedbucket-1/aws/lambda/x", SAFE)),
        ("another bucket", Call("s3:GetObject", "arn:aws:s3:::other/sensor_data/x", SAFE)),
        ("deletes", Call("s3:DeleteObject", "arn:aws:s3:::lake/sensor_data/x", SAFE)),
        ("another stream", Call("kinesis:GetRecords", "arn:aws:kinesis:us-east-1:000000000000:stream/other", SAFE)),
        (
            "writes to the stream",
            Call("kinesis:PutRecords", "arn:aws:kinesis:us-east-1:000000000000:stream/trucks", SAFE),
        ),
    ],
)
def test_other_calls_of_the_function_are_denied(reason, call):
    assert not allows(role_documents() + bucket_documents(), call), reason


def test_lambda_may_store_the_deliveries_that_it_gave_up():
    bucket = "arn:aws:s3:::acme-failedbucket-1"
    documents = [*role_documents(), properties_of("FailedBucketPolicy", names())["PolicyDocument"]]
    for call in (Call("s3:PutObject", f"{bucket}/aws/lambda/x", SAFE), Call("s3:ListBucket", bucket, SAFE)):
        assert allows(documents, call)
        assert not allows(documents, Call(call.action, call.resource, SAFE | {"aws:SecureTransport": "false"}))


def test_the_function_may_use_the_key_if_there_is_one():
    call = Call("kms:GenerateDataKey", "arn:aws:kms:us-east-1:000000000000:key/1")
    assert allows(role_documents(UseKey=True), call)
    assert not allows(role_documents(), call)


@pytest.mark.parametrize("key", KEYS)
def test_the_keys_of_an_adopted_stream_and_bucket_may_be_used(key):
    producer = properties_of("ProducerPolicy", names(ExistingKeyArns=",".join(KEYS)))["PolicyDocument"]
    decrypt, generate = Call("kms:Decrypt", key), Call("kms:GenerateDataKey", key)
    assert all(allows(role_documents(ExistingKeyArns=",".join(KEYS)), call) for call in (decrypt, generate))
    assert not any(allows(role_documents(), call) for call in (decrypt, generate))
    assert (allows([producer], generate), allows([producer], decrypt)) == (True, False)


def test_in_the_vpc_lambda_may_create_the_network_interface_and_the_code_may_not():
    call = Call("ec2:CreateNetworkInterface", "*")
    code = {"lambda:SourceFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:Acme"}
    assert allows(role_documents(InVpc=True), call)
    assert not allows(role_documents(InVpc=True), Call(call.action, call.resource, code))
    assert not allows(role_documents(), call)


def test_a_producer_may_make_every_call_of_the_client():
    source = (ROOT / "truckstream" / "kinesis" / "client.py").read_text(encoding="utf-8")
    made = set(re.findall(r'_call\(\s*"(\w+)"', source)) - {"GetShardIterator"}  # which only readers make
    assert made == {"PutRecords", "ListShards", "DescribeStreamSummary"}
    documents = [properties_of("ProducerPolicy", names())["PolicyDocument"]]
    stream = "arn:aws:kinesis:us-east-1:000000000000:stream/trucks"
    assert all(allows(documents, Call(f"kinesis:{name}", stream)) for name in made)
    assert not allows(documents, Call("kinesis:GetRecords", stream))
    assert not allows(documents, Call("kinesis:PutRecords", stream.replace("trucks", "other")))
