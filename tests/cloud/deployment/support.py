"""CloudFormation's responses for a stack `acme`, and an account that returns them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.cloud.scripted_aws import ScriptedAws, aws_error

THEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/acme/0123"
CHANGE_SET_ID = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/truckstream-1/0123"


def stack(status: str, **outputs: str) -> dict[str, Any]:
    rows = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
    row = {"StackName": "acme", "StackId": STACK_ID, "CreationTime": THEN, "StackStatus": status, "Outputs": rows}
    return {"Stacks": [row]}


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
    """Return an account whose DescribeStacks returns these stacks in turn; `changed` replaces other responses."""
    responses = {
        "cloudformation.describe_stacks": list(stacks),
        "cloudformation.create_change_set": {"Id": CHANGE_SET_ID, "StackId": STACK_ID},
        "cloudformation.describe_change_set": {"Status": "CREATE_COMPLETE", "Changes": [ADDED]},
        "cloudformation.execute_change_set": {},
        "cloudformation.delete_change_set": {},
        "cloudformation.delete_stack": {},
        "cloudformation.describe_stack_events": {"StackEvents": []},
        "sts.get_caller_identity": {"Account": "123456789012"},
    }
    return ScriptedAws(responses | {f"cloudformation.{name}": response for name, response in changed.items()})
