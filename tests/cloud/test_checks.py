"""Each danger is found where it is and nowhere else, and the command that repairs it is one that there is."""

import re
import shlex

import pytest

from tests.cloud.scripted import ScriptedAws, operation_model, refusal
from truckstream.cloud.deployment.stack import Stack
from truckstream.cloud.watch.deployed_parts import DeployedParts
from truckstream.cloud.watch.doctor import diagnose
from truckstream.cloud.watch.doctor_rules import CHECKS, EVENT_BYTES, RECORD_BYTES_IN_EVENT, Facts, examine
from truckstream.commands.app import app

BUCKET_ARN = "arn:aws:s3:::acme-truck-data"
ALL_FOUR = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


def healthy_stack():
    return Stack("acme", "arn:stack/acme", "UPDATE_COMPLETE", "", {}, {"BucketName": "acme-truck-data"})


def healthy_stream():
    return {"StreamName": "trucks", "EncryptionType": "KMS", "RetentionPeriodHours": 24, "OpenShardCount": 4}


def healthy_mapping():
    return {
        "UUID": "0c9b3fd2-5c5a-4f0e-9c3b-7d1e5a2b9f10",
        "State": "Enabled",
        "LastProcessingResult": "OK",
        "BatchSize": 4900,
        "MaximumBatchingWindowInSeconds": 5,
        "ParallelizationFactor": 1,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": False,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 72_000,
        "DestinationConfig": {"OnFailure": {"Destination": BUCKET_ARN}},
    }


def healthy_function():
    return {
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Timeout": 300,
        "MemorySize": 512,
        "Environment": {"Variables": {"BUCKET_NAME": "acme-truck-data"}},
    }


def facts(*, stream=None, mapping=None, function=None, parts=None, missing=(), **more):
    """A healthy pipeline but for what is given."""
    found = {
        "stream": healthy_stream() | (stream or {}),
        "mapping": healthy_mapping() | (mapping or {}),
        "function": healthy_function() | (function or {}),
    }
    found |= dict.fromkeys(missing)
    names = {"stream_name": "trucks", "bucket_name": "acme-truck-data", "function_name": "acme"}
    seen = {
        "encryption": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}},
        "public_access_block": ALL_FOUR,
        "bucket_policy": '{"Condition": {"Bool": {"aws:SecureTransport": "false"}}}',
        "bucket_exists": True,
        "subscribers": 1,
        "seen": frozenset({"encryption", "public", "policy"}),
    }
    return Facts("acme", DeployedParts(healthy_stack(), **names, **found, **(parts or {})), **(seen | more))


#: (check, what is wrong, a word of the problem, a word of the repair)
DANGERS = [
    ("stream-found", {"missing": ["stream"]}, "trucks does not exist in this account and region", "deploy --stack"),
    ("function-found", {"missing": ["function", "mapping"]}, "no function is deployed", "deploy --stack acme"),
    ("function-runs", {"function": {"State": "Failed", "StateReason": "no such key"}}, "no such key", "deploy"),
    ("function-runs", {"function": {"LastUpdateStatus": "Failed"}}, "its last update Failed", "deploy"),
    ("mapping-found", {"missing": ["mapping"]}, "no event source mapping", "deploy --stack acme"),
    ("mapping-enabled", {"mapping": {"State": "Disabled"}}, "disabled", "--enabled"),
    (
        "last-delivery-worked",
        {"mapping": {"LastProcessingResult": "PROBLEM: Function call failed"}},
        "PROBLEM: Function call failed",
        "status --stack acme",
    ),
    ("reports-failures", {"mapping": {"FunctionResponseTypes": []}}, "those records are lost", "ReportBatchItem"),
    ("does-not-bisect", {"mapping": {"BisectBatchOnFunctionError": True}}, "stored twice", "--no-bisect"),
    (
        "gives-up-into-a-destination",
        {"mapping": {"MaximumRetryAttempts": 3, "DestinationConfig": {}}},
        "3 attempts, 72000 s",
        BUCKET_ARN,
    ),
    (
        "destination-keeps-records",
        {"mapping": {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:1:dead"}}}},
        "only S3 receives the records",
        BUCKET_ARN,
    ),
    (
        "gives-up-before-the-stream-forgets",
        {"mapping": {"MaximumRecordAgeInSeconds": -1}},
        "until they expire after 24 h",
        "--maximum-record-age-in-seconds 72000",
    ),
    (
        "gives-up-before-the-stream-forgets",
        {"mapping": {"MaximumRecordAgeInSeconds": 86_400}},
        "until they expire after 24 h",
        "--maximum-record-age-in-seconds 72000",
    ),
    ("no-parallel-shards", {"mapping": {"ParallelizationFactor": 10}}, "aggregated records", "factor 1"),
    ("bucket-found", {"bucket_exists": False}, "acme-truck-data does not exist", "deploy --stack acme"),
    (
        "writes-to-its-bucket",
        {"function": {"Environment": {"Variables": {"BUCKET_NAME": "another"}}}},
        "writes to another, but the bucket of the stack is acme-truck-data",
        "ExistingBucketName=another",
    ),
    ("has-permissions", {"denied": (f"s3:PutObject on {BUCKET_ARN}/*",)}, "does not allow s3:PutObject", "deploy"),
    ("s3-lets-it-in", {"access_errors": ("PutObject: AccessDenied",)}, "PutObject: AccessDenied", "deploy"),
    ("stream-encrypted", {"stream": {"EncryptionType": "NONE"}}, "not encrypted at rest", "start-stream-encryption"),
    ("bucket-encrypted", {"encryption": None}, "no encryption", "put-bucket-encryption"),
    ("bucket-private", {"public_access_block": None}, "can be made public", "put-public-access-block"),
    ("bucket-private", {"public_access_block": ALL_FOUR | {"BlockPublicAcls": False}}, "public", "BlockPublicAcls"),
    ("bucket-tls-only", {"bucket_policy": None}, "without TLS", "deploy --stack acme"),
    ("timeout-long-enough", {"function": {"Timeout": 3}}, "timeout is 3 s", "--timeout 300"),
    ("memory-enough", {"function": {"MemorySize": 128}}, "has 128 MB", "--memory-size 512"),
    ("batch-can-fill", {"mapping": {"BatchSize": 10_000}}, "6 MB hold about 4,971", "--batch-size 4900"),
    ("batch-fills-objects", {"mapping": {"BatchSize": 100}}, "small objects", "--batch-size 4900"),
    ("batch-fills-objects", {"mapping": {"MaximumBatchingWindowInSeconds": 0}}, "window of 0 s", "in-seconds 5"),
    ("reservation-fits", {"parts": {"reserved_concurrency": 2}}, "4 shards need one each", "Concurrency=4"),
    ("somebody-listens", {"subscribers": 0}, "nobody receives", "AlarmEmail="),
]


def test_a_healthy_pipeline_has_no_findings():
    assert examine(facts()) == ()


@pytest.mark.parametrize(("check", "wrong", "problem", "repair"), DANGERS)
def test_a_danger_is_found_alone_and_its_repair_is_named(check, wrong, problem, repair):
    [finding] = examine(facts(**wrong))
    assert finding.check == check
    assert problem in finding.problem
    assert repair in finding.repair


def test_every_check_has_a_case():
    assert {check.__name__.replace("_", "-") for check in CHECKS} == {check for check, *_ in DANGERS}


def test_the_most_serious_comes_first():
    found = examine(facts(subscribers=0, mapping={"State": "Disabled", "FunctionResponseTypes": []}))
    assert [finding.severity for finding in found] == ["danger", "stopped", "warning"]


def test_the_6_mb_of_a_delivery_hold_the_batch_that_is_recommended():
    assert 4_900 * RECORD_BYTES_IN_EVENT <= EVENT_BYTES < 5_000 * RECORD_BYTES_IN_EVENT


# --- The repairs are commands -----------------------------------------------------------------------

REPAIRS = sorted({finding.repair for _, wrong, *_ in DANGERS for finding in examine(facts(**wrong))})

#: The AWS command line's names for services.
SERVICES = {"s3api": "s3"}


def words_of(flag):
    return flag.removeprefix("--").removeprefix("no-").replace("-", "").lower()


@pytest.mark.parametrize("repair", [repair for repair in REPAIRS if repair.startswith("aws ")])
def test_a_repair_by_the_aws_command_line_is_one_that_it_knows(repair):
    """The operation exists, and each flag is one of its parameters."""
    _, service, operation, *arguments = shlex.split(repair)
    model = operation_model(SERVICES.get(service, service), operation.replace("-", "_"))
    flags = {words_of(word) for word in arguments if word.startswith("--")}
    assert flags <= {name.lower() for name in model.input_shape.members}
    required = {name.lower() for name in model.input_shape.required_members}
    assert required <= flags


@pytest.mark.parametrize("repair", [repair for repair in REPAIRS if repair.startswith("truckstream ")])
def test_a_repair_by_truckstream_is_one_that_it_knows(repair):
    app.parse_args(shlex.split(re.sub(", after .*", "", repair))[1:], exit_on_error=False, print_error=False)


# --- The doctor reads ---------------------------------------------------------------------------------

ROLE = "arn:aws:iam::123456789012:role/acme-FunctionRole-1"
STREAM_ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"


def deployed(**changed):
    """What AWS says of a healthy pipeline that was made by hand."""
    allowed = {"EvaluationResults": [{"EvalActionName": "s3:PutObject", "EvalDecision": "allowed"}]}
    answers = {
        "lambda.get_function_configuration": healthy_function() | {"Role": ROLE},
        "lambda.get_function_concurrency": {},
        "lambda.list_event_source_mappings": {
            "EventSourceMappings": [healthy_mapping() | {"EventSourceArn": STREAM_ARN}]
        },
        "kinesis.describe_stream_summary": {
            "StreamDescriptionSummary": healthy_stream()
            | {
                "StreamARN": STREAM_ARN,
                "StreamStatus": "ACTIVE",
                "StreamCreationTimestamp": "2026-11-23T12:00:00Z",
                "EnhancedMonitoring": [],
            }
        },
        "s3.head_bucket": {},
        "s3.get_bucket_encryption": {
            "ServerSideEncryptionConfiguration": {
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            }
        },
        "s3.get_public_access_block": {"PublicAccessBlockConfiguration": ALL_FOUR},
        "s3.get_bucket_policy": {"Policy": '{"aws:SecureTransport": "false"}'},
        "s3.list_objects_v2": {},
        "iam.simulate_principal_policy": allowed,
        "cloudwatch.get_metric_data": {"MetricDataResults": []},
        "cloudwatch.describe_alarms": {"MetricAlarms": []},
        "logs.filter_log_events": {"events": []},
    }
    return ScriptedAws(answers | {name.replace("__", "."): answer for name, answer in changed.items()})


async def doctor_finds(aws):
    from datetime import UTC, datetime  # noqa: PLC0415

    diagnosis = await diagnose(aws, "acme", now=datetime(2026, 11, 23, 12, tzinfo=UTC), function_name="acme")
    return {finding.check for finding in diagnosis.findings}, diagnosis.unread


async def test_a_healthy_pipeline_made_by_hand_is_read_whole():
    assert await doctor_finds(deployed()) == (set(), ())


async def test_a_bucket_without_settings_is_found():
    absent = {
        "s3__get_bucket_encryption": refusal("ServerSideEncryptionConfigurationNotFoundError"),
        "s3__get_public_access_block": refusal("NoSuchPublicAccessBlockConfiguration"),
        "s3__get_bucket_policy": refusal("NoSuchBucketPolicy"),
    }
    assert await doctor_finds(deployed(**absent)) == ({"bucket-encrypted", "bucket-private", "bucket-tls-only"}, ())


async def test_a_bucket_that_is_gone_is_one_finding():
    gone = refusal("NoSuchBucket")
    calls = ("head_bucket", "get_bucket_encryption", "get_public_access_block", "get_bucket_policy", "list_objects_v2")
    found, _ = await doctor_finds(deployed(**{f"s3__{call}": gone for call in calls}))
    assert found == {"bucket-found"}


async def test_a_stream_that_is_gone_is_found():
    found, _ = await doctor_finds(deployed(kinesis__describe_stream_summary=refusal("ResourceNotFoundException")))
    assert found == {"stream-found"}


async def test_a_role_that_may_not_store_is_found():
    denied = {"EvaluationResults": [{"EvalActionName": "s3:PutObject", "EvalDecision": "implicitDeny"}]}
    assert (await doctor_finds(deployed(iam__simulate_principal_policy=denied)))[0] == {"has-permissions"}


async def test_access_that_the_log_says_was_denied_is_found():
    events = {"events": [{"timestamp": 1763899200000, "message": '{"level":"ERROR","error":"PermissionDenied: 403"}'}]}
    assert (await doctor_finds(deployed(logs__filter_log_events=events)))[0] == {"s3-lets-it-in"}


async def test_what_may_not_be_looked_at_is_said_and_is_no_finding():
    denied = refusal("AccessDenied", "no", "s3:GetBucketEncryption")
    found, unread = await doctor_finds(deployed(s3__get_bucket_encryption=denied))
    assert found == set()
    assert len(unread) == 1
    assert "truckstream policies" in unread[0]
