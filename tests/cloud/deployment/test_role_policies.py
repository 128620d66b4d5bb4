"""The template's policies for the function and for producers allow the calls that these make, and no others."""

import re

import pytest

from tests.batcher.support import trucks
from tests.cloud.iam_evaluator import Call, allows, resolved
from tests.cloud.parsed_template import RESOURCES, ROOT
from tests.runtime.support import Bucket
from truckstream.batcher import Batcher

REFERENCES = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "000000000000",
    "AWS::StackName": "Acme",
    "AWS::URLSuffix": "amazonaws.com",
    "Prefix": "sensor_data",
    "RejectedPrefix": "rejected",
    "StreamName": "trucks",
    "Bucket": "lake",
    "Bucket.Arn": "arn:aws:s3:::lake",
    "Stream.Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/trucks",
    "Key.Arn": "arn:aws:kms:us-east-1:0:key/1",
    "LogGroup.Arn": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/Acme:*",
    "MakeStream": True,
    "MakeBucket": True,
    "UseKey": False,
    "HasKeys": False,
    "ExistingKeyArns": "arn:aws:kms:us-east-1:0:key/2,arn:aws:kms:us-east-1:0:key/3",
    "InVpc": False,
}


def role_documents(**conditions):
    [policy] = resolved(RESOURCES["FunctionRole"]["Properties"]["Policies"], {**REFERENCES, **conditions})
    return [policy["PolicyDocument"]]


def bucket_documents():
    return [resolved(RESOURCES["BucketPolicy"]["Properties"]["PolicyDocument"], REFERENCES)]


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
    context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "s3:ObjectCreationOperation": "true"}
    if "If-None-Match" in headers:
        context["s3:if-none-match"] = headers["If-None-Match"]
    action = {"PUT": "s3:PutObject", "GET": "s3:GetObject", "HEAD": "s3:GetObject"}[method]
    return Call(action, f"arn:aws:s3:::{bucket}/{key}", context)


SAFE = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "s3:ObjectCreationOperation": "true"}


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


def test_the_function_may_use_the_key_if_there_is_one():
    call = Call("kms:GenerateDataKey", "arn:aws:kms:us-east-1:0:key/1")
    assert allows(role_documents(UseKey=True), call)
    assert not allows(role_documents(), call)


@pytest.mark.parametrize("key", REFERENCES["ExistingKeyArns"].split(","))
def test_the_keys_of_an_adopted_stream_and_bucket_may_be_used(key):
    producer = resolved(RESOURCES["ProducerPolicy"]["Properties"]["PolicyDocument"], {**REFERENCES, "HasKeys": True})
    decrypt, generate = Call("kms:Decrypt", key), Call("kms:GenerateDataKey", key)
    assert all(allows(role_documents(HasKeys=True), call) for call in (decrypt, generate))
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
    made = set(re.findall(r'_call\(\s*"(\w+)"', source))
    assert made == {"PutRecords", "ListShards", "DescribeStreamSummary"}
    documents = [resolved(RESOURCES["ProducerPolicy"]["Properties"]["PolicyDocument"], REFERENCES)]
    stream = REFERENCES["Stream.Arn"]
    assert all(allows(documents, Call(f"kinesis:{name}", stream)) for name in made)
    assert not allows(documents, Call("kinesis:GetRecords", stream))
    assert not allows(documents, Call("kinesis:PutRecords", stream.replace("trucks", "other")))
