"""Change sets from beginning to end, on a scripted AWS and a virtual clock: each state of a stack, and breaking off."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests import virtual_time
from tests.cloud.scripted import ScriptedAws, refusal
from truckstream.cloud import DeployOptions, deploy, destroy
from truckstream.errors import AwsError, DeploymentError

THEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/acme/0123"
CHANGE_SET_ID = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/truckstream-1/0123"
STORAGE = DeployOptions("acme", "STORAGE")


def stack(status, **outputs):
    rows = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
    row = {"StackName": "acme", "StackId": STACK_ID, "CreationTime": THEN, "StackStatus": status, "Outputs": rows}
    return {"Stacks": [row]}


def event(name, status, reason="", kind="AWS::Kinesis::Stream"):
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


NO_STACK = refusal("ValidationError", "Stack with id acme does not exist")
ADDED = {
    "Type": "Resource",
    "ResourceChange": {"Action": "Add", "LogicalResourceId": "Stream", "ResourceType": "AWS::Kinesis::Stream"},
}


def account(*stacks, **changed):
    """A CloudFormation whose stack is in these states, one a look."""
    answers = {
        "cloudformation.describe_stacks": list(stacks),
        "cloudformation.create_change_set": {"Id": CHANGE_SET_ID, "StackId": STACK_ID},
        "cloudformation.describe_change_set": {"Status": "CREATE_COMPLETE", "Changes": [ADDED]},
        "cloudformation.execute_change_set": {},
        "cloudformation.delete_change_set": {},
        "cloudformation.delete_stack": {},
        "cloudformation.describe_stack_events": {"StackEvents": []},
        "sts.get_caller_identity": {"Account": "123456789012"},
    }
    return ScriptedAws(answers | {f"cloudformation.{name}": answer for name, answer in changed.items()})


REVIEW = stack("REVIEW_IN_PROGRESS")


def test_a_new_stack_is_made_and_followed_to_its_outputs():
    aws = account(NO_STACK, REVIEW, stack("CREATE_IN_PROGRESS"), stack("CREATE_COMPLETE", StreamName="trucks"))
    done = virtual_time.run(deploy(aws, STORAGE))
    assert (done.done, done.plan.kind, done.outputs) == (True, "create", {"StreamName": "trucks"})
    [asked] = aws.asked("cloudformation.create_change_set")
    assert (asked["ChangeSetType"], asked["Capabilities"]) == ("CREATE", ["CAPABILITY_IAM"])
    assert aws.asked("cloudformation.delete_change_set") == []


def test_each_event_is_told_once_and_none_of_before():
    events = [
        {"StackEvents": [event("acme", "REVIEW_IN_PROGRESS")]},
        {"StackEvents": [event("Stream", "CREATE_IN_PROGRESS"), event("acme", "REVIEW_IN_PROGRESS")]},
        {"StackEvents": [event("Stream", "CREATE_COMPLETE"), event("Stream", "CREATE_IN_PROGRESS")]},
    ]
    aws = account(
        *(NO_STACK, REVIEW, stack("CREATE_IN_PROGRESS"), stack("CREATE_COMPLETE")), describe_stack_events=events
    )
    told = []
    virtual_time.run(deploy(aws, STORAGE, on_event=lambda each: told.append(each.status)))
    assert told == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]


def test_no_for_an_answer_leaves_neither_change_set_nor_stack():
    async def refuse(_):
        return False

    aws = account(NO_STACK, REVIEW)
    assert virtual_time.run(deploy(aws, STORAGE, confirm=refuse)).done is False
    assert len(aws.asked("cloudformation.delete_change_set")) == len(aws.asked("cloudformation.delete_stack")) == 1
    assert aws.asked("cloudformation.execute_change_set") == []


def test_nothing_to_change_is_no_failure_and_leaves_no_change_set():
    nothing = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
    aws = account(stack("CREATE_COMPLETE", StreamName="truck-sensor-stream"), describe_change_set=nothing)
    done = virtual_time.run(deploy(aws, STORAGE))
    assert (done.done, done.plan.empty, done.outputs["StreamName"]) == (False, True, "truck-sensor-stream")
    assert len(aws.asked("cloudformation.delete_change_set")) == 1
    assert aws.asked("cloudformation.delete_stack") == []


# --- What stands in the way -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("UPDATE_IN_PROGRESS", "Wait until it is done"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "Wait until it is done"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name acme"),
        ("ROLLBACK_FAILED", "truckstream destroy --stack acme"),
        ("DELETE_FAILED", "truckstream destroy --stack acme"),
    ],
)
def test_a_stack_that_cannot_be_changed_says_what_helps(status, words):
    aws = account(stack(status))
    with pytest.raises(DeploymentError, match=words) as refused:
        virtual_time.run(deploy(aws, STORAGE))
    assert refused.value.code == status
    assert aws.asked("cloudformation.create_change_set") == []


def test_what_a_failed_creation_left_is_deleted_and_made_anew():
    gone = stack("DELETE_COMPLETE")
    aws = account(stack("ROLLBACK_COMPLETE"), gone, REVIEW, stack("CREATE_COMPLETE", StreamName="trucks"))
    assert virtual_time.run(deploy(aws, STORAGE)).outputs == {"StreamName": "trucks"}
    assert len(aws.asked("cloudformation.delete_stack")) == 1


def test_a_dry_run_deletes_nothing_of_a_failed_creation():
    aws = account(stack("ROLLBACK_COMPLETE"))
    with pytest.raises(DeploymentError, match="truckstream deploy deletes it and starts again"):
        virtual_time.run(deploy(aws, DeployOptions("acme", "STORAGE", dry_run=True)))
    assert aws.asked("cloudformation.delete_stack") == []


def test_a_stream_of_that_name_is_told_before_cloudformation_fails():
    aws = account(NO_STACK)
    summary = {
        "StreamName": "truck-sensor-stream",
        "StreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/truck-sensor-stream",
        "StreamStatus": "ACTIVE",
        "RetentionPeriodHours": 24,
        "StreamCreationTimestamp": THEN,
        "EnhancedMonitoring": [],
        "OpenShardCount": 1,
    }
    aws.answers["kinesis.describe_stream_summary"] = [{"StreamDescriptionSummary": summary}]
    with pytest.raises(DeploymentError, match=r"CreateStream=false, or choose another name with --stream"):
        virtual_time.run(deploy(aws, STORAGE))


def test_a_rollback_tells_the_cause_and_what_helps_and_not_what_fell_with_it():
    events = [
        {"StackEvents": []},
        {
            "StackEvents": [
                event("Bucket", "CREATE_FAILED", "Resource creation cancelled", "AWS::S3::Bucket"),
                event("Stream", "CREATE_FAILED", "LimitExceededException: the shard limit for the account is 500"),
            ]
        },
    ]
    aws = account(NO_STACK, REVIEW, stack("ROLLBACK_COMPLETE"), describe_stack_events=events)
    with pytest.raises(DeploymentError, match=r"shard limit for the account is 500.* Service Quotas") as failed:
        virtual_time.run(deploy(aws, STORAGE))
    assert "cancelled" not in str(failed.value)


def test_what_fails_before_the_first_resource_is_told_with_the_stack_s_own_reason():
    """CloudFormation looks for taken names, among others, before it makes anything."""
    why = "Validation failed with 1 error(s). Call DescribeEvents to retrieve the full list"
    events = [{"StackEvents": []}, {"StackEvents": [event("acme", "CREATE_FAILED", why, "AWS::CloudFormation::Stack")]}]
    aws = account(NO_STACK, REVIEW, stack("ROLLBACK_COMPLETE"), describe_stack_events=events)
    with pytest.raises(DeploymentError, match=r"stack acme: Validation failed with 1 error"):
        virtual_time.run(deploy(aws, STORAGE))


def test_a_change_set_that_fails_gives_its_reason_and_goes():
    failed = {"Status": "FAILED", "StatusReason": "Resource of type AWS::S3::Bucket already exists"}
    aws = account(NO_STACK, REVIEW, describe_change_set=failed)
    with pytest.raises(DeploymentError, match=r"already exists\. The name is taken: choose another"):
        virtual_time.run(deploy(aws, STORAGE))
    assert len(aws.asked("cloudformation.delete_change_set")) == 1


def test_a_denied_change_set_is_passed_on():
    aws = account(NO_STACK, create_change_set=refusal("AccessDenied"))
    with pytest.raises(AwsError, match="truckstream policies prints"):
        virtual_time.run(deploy(aws, STORAGE))


# --- Breaking off -----------------------------------------------------------------------------------


async def broken_off(work, after):
    task = asyncio.ensure_future(work)
    await asyncio.sleep(after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_breaking_off_before_the_answer_leaves_nothing_behind():
    async def wait_for_ever(_):
        await asyncio.sleep(1e9)

    aws = account(NO_STACK, REVIEW)
    virtual_time.run(broken_off(deploy(aws, STORAGE, confirm=wait_for_ever), 5))
    assert len(aws.asked("cloudformation.delete_change_set")) == len(aws.asked("cloudformation.delete_stack")) == 1
    assert aws.asked("cloudformation.execute_change_set") == []


def test_breaking_off_while_cloudformation_works_takes_nothing_back():
    aws = account(NO_STACK, REVIEW, stack("CREATE_IN_PROGRESS"))
    virtual_time.run(broken_off(deploy(aws, STORAGE), 60))
    assert len(aws.asked("cloudformation.execute_change_set")) == 1
    assert aws.asked("cloudformation.delete_change_set") == aws.asked("cloudformation.delete_stack") == []


# --- Destroy ----------------------------------------------------------------------------------------


def test_a_stack_that_is_being_changed_is_not_destroyed():
    aws = account(stack("UPDATE_IN_PROGRESS"))
    with pytest.raises(DeploymentError, match="Wait until it is done"):
        virtual_time.run(destroy(aws, "acme"))


def test_what_cannot_be_deleted_is_named():
    why = "The bucket you tried to delete is not empty"
    events = [{"StackEvents": []}, {"StackEvents": [event("Bucket", "DELETE_FAILED", why, "AWS::S3::Bucket")]}]
    aws = account(
        *(stack("CREATE_COMPLETE"), stack("DELETE_FAILED")),
        describe_stack_events=events,
        describe_stack_resources={"StackResources": []},
    )
    with pytest.raises(DeploymentError, match=r"DELETE_FAILED: stack acme: Bucket \(AWS::S3::Bucket\): The bucket"):
        virtual_time.run(destroy(aws, "acme"))
