"""CloudFormation's responses for a stack `acme`, and an account that returns them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.cloud.scripted_aws import ScriptedAws, aws_error

THEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/acme/0123"
CHANGE_SET_ID = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/truckstream-1/0123"


def stack(status: str, parameters: dict[str, str] | None = None, **outputs: str) -> dict[str, Any]:
    row = {
        "StackName": "acme",
        "StackId": STACK_ID,
        "CreationTime": THEN,
        "StackStatus": status,
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in (parameters or {}).items()],
        "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()],
    }
    return {"Stacks": [row]}


def stream_summary(name: str = "trucks", **changed: Any) -> dict[str, Any]:
    """Return a response of DescribeStreamSummary."""
    summary = {
        "StreamName": name,
        "StreamARN": f"arn:aws:kinesis:us-east-1:123456789012:stream/{name}",
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        "RetentionPeriodHours": 24,
        "StreamCreationTimestamp": THEN,
        "EnhancedMonitoring": [],
        "EncryptionType": "KMS",
        "KeyId": "alias/aws/kinesis",
        "OpenShardCount": 1,
    }
    return {"StreamDescriptionSummary": summary | changed}


def event(name: str, status: str, reason: str = "", kind: str = "AWS::Kinesis::Stream") -> dict[str, Any]:
    return {
        "StackId": STACK_ID,
        "StackName": "acme",
        "EventId": f"{name}-{status}",
        "Timestamp": THEN,
        "LogicalResourceId": name,
        "ResourceType": kind,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


NO_STACK = aws_error("ValidationError", "Stack with id acme does not exist")
ADDED = {
    "Type": "Resource",
    "ResourceChange": {"Action": "Add", "LogicalResourceId": "Stream", "ResourceType": "AWS::Kinesis::Stream"},
}


def account(*stacks: object, **changed: Any) -> ScriptedAws:
    """Return an account whose DescribeStacks returns these stacks in turn.

    `changed` replaces other responses: of CloudFormation by the name of the operation, of others by service__operation.
    """
    responses = {
        "cloudformation.describe_stacks": list(stacks),
        "cloudformation.create_change_set": {"Id": CHANGE_SET_ID, "StackId": STACK_ID},
        "cloudformation.describe_change_set": {"Status": "CREATE_COMPLETE", "Changes": [ADDED]},
        "cloudformation.execute_change_set": {},
        "cloudformation.delete_change_set": {},
        "cloudformation.delete_stack": {},
        "cloudformation.describe_stack_events": {"StackEvents": []},
        "sts.get_caller_identity": {"Account": "123456789012"},
        "s3.head_bucket": {},
        "s3.put_object": {},
        "s3.delete_object": {},
    }
    for name, response in changed.items():
        service, _, operation = name.rpartition("__")
        responses[f"{service or 'cloudformation'}.{operation}"] = response
    return ScriptedAws(responses)


def uploaded_template(aws: ScriptedAws) -> str:
    """Return the text of the template that CloudFormation was given the URL of."""
    [call] = aws.calls_of("cloudformation.create_change_set")
    [template] = [put for put in aws.calls_of("s3.put_object") if call["TemplateURL"].endswith(put["Key"])]
    return template["Body"].decode()
