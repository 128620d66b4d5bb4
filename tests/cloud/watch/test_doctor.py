"""The doctor on a scripted AWS: which findings follow from AWS's responses."""

from datetime import UTC, datetime

import pytest

from tests.cloud.deployment.support import stack
from tests.cloud.iam_evaluator import Call, allows
from tests.cloud.resolved_template import properties_of, references
from tests.cloud.scripted_aws import ScriptedAws, aws_error
from tests.cloud.watch.healthy_pipeline import (
    NO_PUBLIC_ACCESS,
    healthy_function,
    healthy_lifecycle,
    healthy_mapping,
    healthy_stream,
)
from truckstream.cloud.watch.doctor import diagnose

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/acme-FunctionRole-1"
STREAM_ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"


def deployed(**changed):
    """Return an AWS with a healthy pipeline that has no stack; `changed` replaces responses."""
    allowed = {"EvaluationResults": [{"EvalActionName": "s3:PutObject", "EvalDecision": "allowed"}]}
    responses = {
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
        "s3.get_public_access_block": {"PublicAccessBlockConfiguration": NO_PUBLIC_ACCESS},
        "s3.get_bucket_policy": {"Policy": '{"aws:SecureTransport": "false"}'},
        "s3.get_bucket_lifecycle_configuration": {"Rules": healthy_lifecycle()},
        "s3.get_bucket_versioning": {"Status": "Enabled"},
        "s3.list_objects_v2": {},
        "iam.simulate_principal_policy": allowed,
        "cloudwatch.get_metric_data": {"MetricDataResults": []},
        "cloudwatch.describe_alarms": {"MetricAlarms": []},
        "logs.filter_log_events": {"events": []},
    }
    return ScriptedAws(responses | {name.replace("__", "."): response for name, response in changed.items()})


async def findings_and_unread(aws):
    diagnosis = await diagnose(aws, "acme", now=NOW, function_name="acme")
    return {finding.check for finding in diagnosis.findings}, diagnosis.unread


async def test_a_healthy_pipeline_without_a_stack_has_no_findings():
    assert await findings_and_unread(deployed()) == (set(), ())


async def test_each_part_is_read_once():
    aws = deployed()
    await findings_and_unread(aws)
    assert [call for call in aws.calls if aws.calls.count(call) > 1] == []


async def test_a_bucket_without_settings_causes_three_findings():
    absent = {
        "s3__get_bucket_encryption": aws_error("ServerSideEncryptionConfigurationNotFoundError"),
        "s3__get_public_access_block": aws_error("NoSuchPublicAccessBlockConfiguration"),
        "s3__get_bucket_policy": aws_error("NoSuchBucketPolicy"),
    }
    expected = {"bucket-encrypted", "bucket-private", "bucket-tls-only"}
    assert await findings_and_unread(deployed(**absent)) == (expected, ())


async def test_a_deleted_bucket_causes_one_finding():
    gone = aws_error("NoSuchBucket")
    calls = (
        *("head_bucket", "get_bucket_encryption", "get_public_access_block", "get_bucket_policy", "list_objects_v2"),
        *("get_bucket_lifecycle_configuration", "get_bucket_versioning"),
    )
    found, _ = await findings_and_unread(deployed(**{f"s3__{call}": gone for call in calls}))
    assert found == {"bucket-found"}


async def test_a_deleted_stream_is_a_finding():
    found, _ = await findings_and_unread(
        deployed(kinesis__describe_stream_summary=aws_error("ResourceNotFoundException"))
    )
    assert found == {"stream-found"}


async def test_a_missing_permission_of_the_role_is_a_finding():
    denied = {"EvaluationResults": [{"EvalActionName": "s3:PutObject", "EvalDecision": "implicitDeny"}]}
    assert (await findings_and_unread(deployed(iam__simulate_principal_policy=denied)))[0] == {"has-permissions"}


def simulate(asked):
    """Answer SimulatePrincipalPolicy for the template's role, as IAM does: without a context key, a condition fails."""
    names = references(Bucket="acme-truck-data", StreamName="trucks", **{"AWS::AccountId": "123456789012"})
    documents = [policy["PolicyDocument"] for policy in properties_of("FunctionRole", names)["Policies"]]
    context = {entry["ContextKeyName"]: entry["ContextKeyValues"][0] for entry in asked.get("ContextEntries", ())}
    calls = [Call(action, resource, context) for action in asked["ActionNames"] for resource in asked["ResourceArns"]]
    return {
        "EvaluationResults": [
            {"EvalActionName": call.action, "EvalDecision": "allowed" if allows(documents, call) else "implicitDeny"}
            for call in calls
        ]
    }


async def test_the_role_of_the_template_allows_what_the_function_needs():
    aws = deployed(iam__simulate_principal_policy=simulate)
    assert await findings_and_unread(aws) == (set(), ())
    assert len(aws.calls_of("iam.simulate_principal_policy")) == 3


async def test_the_repair_names_the_bucket_in_the_partition_of_the_region():
    aws = deployed(
        cloudformation__describe_stacks=stack(
            "CREATE_COMPLETE", FunctionName="acme", FailedBucketName="acme-failedbucket-1"
        ),
        lambda__list_event_source_mappings={
            "EventSourceMappings": [healthy_mapping() | {"EventSourceArn": STREAM_ARN, "DestinationConfig": {}}]
        },
    )
    aws.region = "cn-north-1"
    findings = (await diagnose(aws, "acme", now=NOW)).findings
    [repair] = [finding.repair for finding in findings if finding.check == "gives-up-into-a-destination"]
    assert '"arn:aws-cn:s3:::acme-failedbucket-1"' in repair


async def test_a_denied_upload_in_the_log_is_a_finding():
    events = {"events": [{"timestamp": 1763899200000, "message": '{"level":"ERROR","error":"PermissionDenied: 403"}'}]}
    assert (await findings_and_unread(deployed(logs__filter_log_events=events)))[0] == {"s3-lets-it-in"}


@pytest.mark.parametrize("call", ["s3__get_bucket_encryption", "logs__filter_log_events"])
async def test_a_denied_read_is_reported_as_unread_and_is_no_finding(call):
    denied = aws_error("AccessDenied", "no", call.replace("__", ":"))
    found, unread = await findings_and_unread(deployed(**{call: denied}))
    assert found == set()
    assert len(unread) == 1
    assert "truckstream policies" in unread[0]
