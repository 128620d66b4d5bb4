"""The Managed Flink application in the template: its role allows what the connectors do, and no more."""

from __future__ import annotations

import pytest

from tests.cloud.iam_evaluator import Call, allows
from tests.cloud.parsed_template import PARAMETERS, RESOURCES, TEMPLATE
from tests.cloud.resolved_template import ACCOUNT, created, properties_of, references, resolved

STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/trucks"
RESULT = "arn:aws:s3:::acme/stream_windows/part-1"
CODE = "arn:aws:s3:::zips/packed/1.zip"
OURS = {"s3:ResourceAccount": ACCOUNT, "aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}


def names(**values):
    return references(
        "packed",
        Bucket="acme",
        StreamName="trucks",
        CodeBucket="zips",
        FlinkCodeKey="packed/1.zip",
        CreateFlink="true",
        **values,
    )


def may(action, resource, context=OURS, **values):
    """Whether the policies of the role and of the bucket allow a call of the application."""
    [policy] = properties_of("FlinkRole", names(**values))["Policies"]
    documents = [policy["PolicyDocument"], properties_of("BucketPolicy", names(**values))["PolicyDocument"]]
    return allows(documents, Call(action, resource, context))


def test_it_is_off_by_default():
    assert PARAMETERS["CreateFlink"]["Default"] == "false"
    assert not any("Flink" in name for name in created(references()))
    ours = {name for name in created(names()) if "Flink" in name}
    assert ours == {name for name in RESOURCES if "Flink" in name}
    assert len(ours) == 5
    assert not any("Flink" in name for name in created(names(Scope="STORAGE")))


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        *(
            (f"kinesis:{name}", STREAM)
            for name in ("DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords")
        ),
        *((f"s3:{name}", RESULT) for name in ("PutObject", "GetObject", "DeleteObject", "AbortMultipartUpload")),
        ("s3:GetObject", CODE),
        (
            "logs:PutLogEvents",
            f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/packed/flink:log-stream:application",
        ),
    ],
)
def test_the_role_allows_the_calls_of_the_connectors(action, resource):
    assert may(action, resource)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("kinesis:PutRecords", STREAM, OURS),
        ("kinesis:GetRecords", STREAM.replace("trucks", "other"), OURS),
        ("s3:GetObject", "arn:aws:s3:::acme/sensor_data/batch_1.json", OURS),
        ("s3:PutObject", "arn:aws:s3:::acme/sensor_data/batch_1.json", OURS),
        ("s3:DeleteObject", "arn:aws:s3:::acme/sensor_data/batch_1.json", OURS),
        ("s3:PutObject", CODE, OURS),
        ("s3:GetObject", "arn:aws:s3:::zips/other/1.zip", OURS),
        ("s3:PutObject", RESULT, OURS | {"s3:ResourceAccount": "999999999999"}),
        ("s3:ListBucket", "arn:aws:s3:::acme", OURS | {"s3:prefix": "sensor_data/"}),
        ("kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1", OURS),
    ],
)
def test_the_role_allows_nothing_else(action, resource, context):
    assert not may(action, resource, context)


def test_it_lists_its_results_and_uses_the_key_if_there_is_one():
    assert may("s3:ListBucket", "arn:aws:s3:::acme", OURS | {"s3:prefix": "stream_windows/"})
    assert may("kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1", Encryption="CUSTOMER_KEY")


def test_only_managed_flink_of_this_account_takes_the_role():
    [statement] = properties_of("FlinkRole", names())["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "kinesisanalytics.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_it_does_not_scale_by_itself():
    """Its cost is what FlinkParallelism says."""
    found = properties_of("FlinkApplication", names(FlinkParallelism=4))["ApplicationConfiguration"]
    scaling = found["FlinkApplicationConfiguration"]["ParallelismConfiguration"]
    assert (scaling["Parallelism"], scaling["ParallelismPerKPU"], scaling["AutoScalingEnabled"]) == (4, 1, False)


@pytest.mark.parametrize(("schema", "accepted"), [("truck", True), ("m:Reading", False), ("none", False)])
def test_records_without_the_fields_of_trucks_are_refused(schema, accepted):
    [assertion] = TEMPLATE["Rules"]["Flink"]["Assertions"]
    assert resolved(assertion["Assert"], names(Schema=schema)) is accepted
