"""Deployments by change set, on a scripted AWS and a virtual clock: states of a stack, failures and cancellation."""

import asyncio

import pytest

from tests import virtual_time
from tests.cloud.deployment.support import NO_STACK, account, event, stack, uploaded_template
from tests.cloud.scripted_aws import aws_error
from truckstream.cloud import DeployOptions, deploy
from truckstream.cloud.deployment.template.template_text import read_template, without_metadata
from truckstream.commands.output.aws_reports import format_plan
from truckstream.errors import AwsError, DeploymentError

STORAGE = DeployOptions("acme", "STORAGE")
REVIEW = stack("REVIEW_IN_PROGRESS")


def test_a_new_stack_is_created_and_its_outputs_returned():
    aws = account(NO_STACK, REVIEW, stack("CREATE_IN_PROGRESS"), stack("CREATE_COMPLETE", StreamName="trucks"))
    done = virtual_time.run(deploy(aws, STORAGE))
    assert (done.done, done.plan.kind, done.outputs) == (True, "create", {"StreamName": "trucks"})
    [call] = aws.calls_of("cloudformation.create_change_set")
    assert (call["ChangeSetType"], call["Capabilities"]) == ("CREATE", ["CAPABILITY_IAM"])
    assert aws.calls_of("cloudformation.delete_change_set") == []


def test_each_new_event_is_reported_once():
    events = [
        {"StackEvents": [event("acme", "REVIEW_IN_PROGRESS")]},
        {"StackEvents": [event("Stream", "CREATE_IN_PROGRESS"), event("acme", "REVIEW_IN_PROGRESS")]},
        {"StackEvents": [event("Stream", "CREATE_COMPLETE"), event("Stream", "CREATE_IN_PROGRESS")]},
    ]
    aws = account(
        *(NO_STACK, REVIEW, stack("CREATE_IN_PROGRESS"), stack("CREATE_COMPLETE")), describe_stack_events=events
    )
    reported = []
    virtual_time.run(deploy(aws, STORAGE, on_event=lambda each: reported.append(each.status)))
    assert reported == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]


def test_a_plan_that_is_not_confirmed_leaves_neither_change_set_nor_stack():
    async def refuse(_):
        return False

    aws = account(NO_STACK, REVIEW)
    assert virtual_time.run(deploy(aws, STORAGE, confirm=refuse)).done is False
    assert (
        len(aws.calls_of("cloudformation.delete_change_set")) == len(aws.calls_of("cloudformation.delete_stack")) == 1
    )
    assert aws.calls_of("cloudformation.execute_change_set") == []


def test_an_empty_plan_is_no_error_and_leaves_no_change_set():
    no_changes = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
    aws = account(stack("CREATE_COMPLETE", StreamName="truck-sensor-stream"), describe_change_set=no_changes)
    done = virtual_time.run(deploy(aws, STORAGE))
    assert (done.done, done.plan.empty, done.outputs["StreamName"]) == (False, True, "truck-sensor-stream")
    assert len(aws.calls_of("cloudformation.delete_change_set")) == 1
    assert aws.calls_of("cloudformation.delete_stack") == []


@pytest.mark.parametrize(
    ("endpoint_url", "prefix"),
    [
        (None, "https://truckstream-artifacts-123456789012-us-east-1.s3.us-east-1.amazonaws.com/acme/"),
        ("http://127.0.0.1:4566", "http://127.0.0.1:4566/truckstream-artifacts-123456789012-us-east-1/acme/"),
    ],
)
def test_the_template_is_uploaded_for_cloudformation(endpoint_url, prefix):
    """It is larger than the 51,200 bytes that a call accepts."""
    aws = account(NO_STACK, REVIEW, stack("CREATE_COMPLETE"))
    aws.endpoint_url = endpoint_url
    virtual_time.run(deploy(aws, STORAGE))
    [call] = aws.calls_of("cloudformation.create_change_set")
    assert call["TemplateURL"].startswith(prefix)
    lines = uploaded_template(aws).splitlines(keepends=True)
    assert "".join(line for line in lines if "LeftOut:" not in line) == without_metadata(read_template())


def objects_left(aws):
    """Return the keys of the objects that were put and not deleted."""
    put = {call["Key"] for call in aws.calls_of("s3.put_object")}
    return put - {call["Key"] for call in aws.calls_of("s3.delete_object")}


@pytest.mark.parametrize("agreed", [True, False])
def test_the_template_and_a_bucket_for_it_alone_are_deleted(agreed):
    async def answer(_):
        return agreed

    aws = new_bucket()
    virtual_time.run(deploy(aws, STORAGE, confirm=answer))
    assert len(aws.calls_of("s3.create_bucket")) == len(aws.calls_of("s3.delete_bucket")) == 1
    assert objects_left(aws) == set()


def test_a_bucket_that_was_there_before_stays():
    aws = account(NO_STACK, REVIEW, stack("CREATE_COMPLETE"))
    virtual_time.run(deploy(aws, STORAGE))
    assert aws.calls_of("s3.delete_bucket") == []
    assert objects_left(aws) == set()


@pytest.mark.parametrize("operation", ["s3__delete_object", "s3__delete_bucket"])
def test_a_failure_to_tidy_up_does_not_hide_the_outcome(operation):
    """Such as that of a deployer who has the policies of an earlier version."""
    aws = new_bucket(**{operation: aws_error("AccessDenied")})
    assert virtual_time.run(deploy(aws, STORAGE)).done


def new_bucket(**changed):
    """An account without a bucket for zips and templates."""
    calls = ("create_bucket", "put_public_access_block", "put_bucket_policy", "delete_bucket")
    responses = {f"s3__{name}": {} for name in calls} | changed
    return account(NO_STACK, REVIEW, stack("CREATE_COMPLETE"), s3__head_bucket=aws_error("404"), **responses)


# --- Failures ---------------------------------------------------------------------------------------


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
def test_the_error_for_a_stack_that_cannot_be_changed_names_the_remedy(status, words):
    aws = account(stack(status))
    with pytest.raises(DeploymentError, match=words) as error:
        virtual_time.run(deploy(aws, STORAGE))
    assert error.value.code == status
    assert aws.calls_of("cloudformation.create_change_set") == []


def test_the_empty_stack_of_a_failed_creation_is_deleted_and_created_again():
    deleted = stack("DELETE_COMPLETE")
    aws = account(stack("ROLLBACK_COMPLETE"), deleted, REVIEW, stack("CREATE_COMPLETE", StreamName="trucks"))
    assert virtual_time.run(deploy(aws, STORAGE)).outputs == {"StreamName": "trucks"}
    assert len(aws.calls_of("cloudformation.delete_stack")) == 1


def test_a_dry_run_does_not_delete_the_empty_stack_of_a_failed_creation():
    aws = account(stack("ROLLBACK_COMPLETE"))
    with pytest.raises(DeploymentError, match="truckstream deploy deletes it and starts again"):
        virtual_time.run(deploy(aws, DeployOptions("acme", "STORAGE", dry_run=True)))
    assert aws.calls_of("cloudformation.delete_stack") == []


def test_the_error_of_a_rollback_has_the_cause_and_a_remedy_and_no_cancelled_resources():
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


def test_a_failure_before_the_first_resource_is_reported_with_the_reason_of_the_stack():
    """CloudFormation validates before it creates a resource: for example, whether a name is taken."""
    why = "Validation failed with 1 error(s). Call DescribeEvents to retrieve the full list"
    events = [{"StackEvents": []}, {"StackEvents": [event("acme", "CREATE_FAILED", why, "AWS::CloudFormation::Stack")]}]
    aws = account(NO_STACK, REVIEW, stack("ROLLBACK_COMPLETE"), describe_stack_events=events)
    with pytest.raises(DeploymentError, match=r"stack acme: Validation failed with 1 error"):
        virtual_time.run(deploy(aws, STORAGE))


def test_a_failed_change_set_is_reported_with_its_reason_and_deleted():
    failed = {"Status": "FAILED", "StatusReason": "Resource of type AWS::S3::Bucket already exists"}
    aws = account(NO_STACK, REVIEW, describe_change_set=failed)
    with pytest.raises(DeploymentError, match=r"already exists\. The name is taken: choose another"):
        virtual_time.run(deploy(aws, STORAGE))
    assert len(aws.calls_of("cloudformation.delete_change_set")) == 1


def test_a_denied_call_raises_the_error_of_aws():
    aws = account(NO_STACK, create_change_set=aws_error("AccessDenied"))
    with pytest.raises(AwsError, match="truckstream policies prints"):
        virtual_time.run(deploy(aws, STORAGE))


# --- Cancellation -----------------------------------------------------------------------------------


async def cancel_after(seconds, work):
    task = asyncio.ensure_future(work)
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_cancellation_before_the_confirmation_leaves_nothing_behind():
    async def wait_for_ever(_):
        await asyncio.sleep(1e9)

    aws = account(NO_STACK, REVIEW)
    virtual_time.run(cancel_after(5, deploy(aws, STORAGE, confirm=wait_for_ever)))
    assert (
        len(aws.calls_of("cloudformation.delete_change_set")) == len(aws.calls_of("cloudformation.delete_stack")) == 1
    )
    assert aws.calls_of("cloudformation.execute_change_set") == []


def test_cancellation_after_the_execution_deletes_nothing():
    aws = account(NO_STACK, REVIEW, stack("CREATE_IN_PROGRESS"))
    virtual_time.run(cancel_after(60, deploy(aws, STORAGE)))
    assert len(aws.calls_of("cloudformation.execute_change_set")) == 1
    assert aws.calls_of("cloudformation.delete_change_set") == aws.calls_of("cloudformation.delete_stack") == []


# --- Doubts about a plan ----------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint_url", [None, "http://127.0.0.1:4566"])
def test_a_plan_that_aws_did_not_compute_says_so(endpoint_url):
    aws = account(NO_STACK, REVIEW, stack("CREATE_COMPLETE"))
    aws.stand_in = endpoint_url
    plan = virtual_time.run(deploy(aws, STORAGE)).plan
    text = format_plan(plan)
    assert ("from http://127.0.0.1:4566, which is not AWS" in text) is (endpoint_url is not None)


def test_an_empty_plan_that_aws_did_not_compute_says_so():
    no_changes = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
    aws = account(stack("CREATE_COMPLETE"), describe_change_set=no_changes)
    aws.stand_in = "http://127.0.0.1:4566"
    text = format_plan(virtual_time.run(deploy(aws, STORAGE)).plan)
    assert text.startswith("Stack acme: nothing to change.\nThis plan is from http://127.0.0.1:4566")
