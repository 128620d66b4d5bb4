"""Status and doctor read a pipeline that was created without a stack, on moto.

Nothing is deployed by CloudFormation here, because moto reports CREATE_COMPLETE for resources that it did not create.
Its streams, buckets, functions and mappings return the settings that they were created with.
"""

import io
import json
import zipfile
from datetime import UTC, datetime

import boto3
import pytest

from truckstream.cloud import Account, diagnose, read_status

NOW = datetime.now(UTC)
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}


@pytest.fixture
def by_hand(moto_url, fake_credentials):  # noqa: ARG001 - boto3 finds them in the environment
    """A pipeline as in a tutorial: batches of 100, no ReportBatchItemFailures, nothing encrypted."""
    clients = {}

    def client(service):
        clients[service] = clients.get(service) or boto3.client(service, region_name="us-east-1", endpoint_url=moto_url)
        return clients[service]

    client("s3").create_bucket(Bucket="by-hand")
    client("s3").put_object(
        Bucket="by-hand", Key=f"sensor_data/batch_{NOW:%Y-%m-%dT%H-%M-%S}_a1b2c3d4.json", Body=b"{}\n"
    )
    client("kinesis").create_stream(StreamName="by-hand", ShardCount=3)
    arn = client("kinesis").describe_stream_summary(StreamName="by-hand")["StreamDescriptionSummary"]["StreamARN"]
    role = client("iam").create_role(RoleName="by-hand", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", "")
    client("lambda").create_function(
        FunctionName="by-hand",
        Runtime="python3.13",
        Role=role,
        Handler="handler.handler",
        Code={"ZipFile": code.getvalue()},
        Timeout=3,
        MemorySize=128,
        Environment={"Variables": {"BUCKET_NAME": "by-hand"}},
    )
    client("lambda").create_event_source_mapping(
        FunctionName="by-hand", EventSourceArn=arn, BatchSize=100, StartingPosition="LATEST"
    )
    yield
    for each in clients.values():
        each.close()


@pytest.mark.usefixtures("by_hand")
async def test_status_and_doctor_read_a_pipeline_without_a_stack(moto_url):
    async with Account(region_name="us-east-1", endpoint_url=moto_url) as account:
        status = await read_status(account, "none", now=NOW, function_name="by-hand")
        diagnosis = await diagnose(account, "none", now=NOW, function_name="by-hand")
    assert (status.stream["OpenShardCount"], status.bucket, status.mapping["BatchSize"]) == (3, "by-hand", 100)
    assert [row.key.rpartition("_")[2] for row in status.objects] == ["a1b2c3d4.json"]
    found = {finding.check for finding in diagnosis.findings}
    assert found >= {
        *("reports-failures", "gives-up-before-the-stream-forgets", "stream-encrypted", "bucket-private"),
        *("bucket-tls-only", "timeout-long-enough", "memory-enough", "batch-fills-objects"),
    }
    assert not found & {"stream-found", "function-found", "mapping-found", "bucket-found", "mapping-enabled"}
