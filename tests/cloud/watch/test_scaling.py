"""Scale on a scripted AWS: the advice for a busy pipeline, and its application to the stack."""

from datetime import UTC, datetime

import pytest

from tests import virtual_time
from tests.cloud.scripted_aws import ScriptedAws
from tests.cloud.watch.support import results
from truckstream.cloud import scale
from truckstream.commands.output.aws_reports import format_scaling
from truckstream.errors import DeploymentError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/acme/0123"


def stack(status="UPDATE_COMPLETE", **parameters):
    outputs = {"StreamName": "trucks", "BucketName": "b", "FunctionName": "acme", "MappingId": "0" * 36}
    given = {"ShardCount": "2", "MemorySize": "512", "CreateStream": "true"} | parameters
    row = {
        "StackName": "acme",
        "StackId": STACK_ID,
        "CreationTime": NOW,
        "StackStatus": status,
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()],
    }
    return {"Stacks": [row]}


def account(pages, **parameters):
    """Return an AWS with a deployed pipeline of two shards, whose figures come in these pages."""
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"
    summary = {
        "StreamName": "trucks",
        "StreamARN": arn,
        "StreamStatus": "ACTIVE",
        "RetentionPeriodHours": 24,
        "StreamCreationTimestamp": NOW,
        "EnhancedMonitoring": [],
        "OpenShardCount": 2,
    }
    change = {"Action": "Modify", "LogicalResourceId": "Stream", "ResourceType": "AWS::Kinesis::Stream"}
    return ScriptedAws(
        {
            "cloudformation.describe_stacks": stack(**parameters),
            "cloudformation.create_change_set": {"Id": f"{STACK_ID}/change", "StackId": STACK_ID},
            "cloudformation.describe_change_set": {
                "Status": "CREATE_COMPLETE",
                "Changes": [{"ResourceChange": change}],
            },
            "cloudformation.execute_change_set": {},
            "cloudformation.delete_change_set": {},
            "cloudformation.describe_stack_events": {"StackEvents": []},
            "lambda.get_function_configuration": {"MemorySize": 512, "Timeout": 300},
            "lambda.get_function_concurrency": {},
            "lambda.get_event_source_mapping": {"EventSourceArn": arn, "ParallelizationFactor": 1},
            "kinesis.describe_stream_summary": {"StreamDescriptionSummary": summary},
            "kinesis.update_shard_count": {},
            "cloudwatch.get_metric_data": pages,
        }
    )


#: 1,900 records/s for two shards, and a call of 250 s, on two pages.
BUSY = [
    {"MetricDataResults": results(records_per_second=[114_000.0]), "NextToken": "more"},
    {"MetricDataResults": results(records_per_second=[60.0], duration_ms=[250_000.0])},
]


async def yes(_):
    return True


async def no(_):
    return False


def test_without_apply_nothing_is_changed():
    aws = account(BUSY)
    found = virtual_time.run(scale(aws, "acme", now=NOW))
    assert [(each.parameter, each.value) for each in found.advice] == [("ShardCount", "3"), ("MemorySize", "1024")]
    assert found.deployment is None
    assert aws.calls_of("cloudformation.create_change_set") == []


def test_apply_changes_the_advised_parameters_and_keeps_everything_else():
    aws = account(BUSY)
    found = virtual_time.run(scale(aws, "acme", now=NOW, apply=yes))
    assert found.deployment.done is True
    [call] = aws.calls_of("cloudformation.create_change_set")
    assert call["UsePreviousTemplate"] is True
    rows = {row["ParameterKey"]: row.get("ParameterValue") for row in call["Parameters"]}
    assert rows == {"ShardCount": "3", "MemorySize": "1024", "CreateStream": None}
    assert aws.calls_of("kinesis.update_shard_count") == []


def test_the_shards_of_a_stream_outside_the_stack_are_changed_through_kinesis():
    aws = account(BUSY, CreateStream="false")
    virtual_time.run(scale(aws, "acme", now=NOW, apply=yes))
    [call] = aws.calls_of("kinesis.update_shard_count")
    assert call == {"StreamName": "trucks", "TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING"}


def test_a_plan_that_is_not_confirmed_changes_nothing():
    aws = account(BUSY, CreateStream="false")
    assert virtual_time.run(scale(aws, "acme", now=NOW, apply=no)).deployment.done is False
    assert aws.calls_of("cloudformation.execute_change_set") == aws.calls_of("kinesis.update_shard_count") == []


def test_without_advice_apply_asks_for_no_confirmation():
    aws = account([{"MetricDataResults": results(records_per_second=[60.0])}])
    found = virtual_time.run(scale(aws, "acme", now=NOW, apply=no))
    assert (found.advice, found.deployment) == ((), None)


def test_a_stack_that_is_being_changed_is_not_scaled():
    aws = account(BUSY)
    aws.responses["cloudformation.describe_stacks"] = [stack("UPDATE_IN_PROGRESS")]
    with pytest.raises(DeploymentError, match="Wait until it is done"):
        virtual_time.run(scale(aws, "acme", now=NOW, apply=yes))


def test_the_error_for_the_eleventh_change_of_a_day_quotes_kinesis():
    aws = account(BUSY)
    why = "LimitExceededException: Stream trucks has reached the maximum of 10 UpdateShardCount calls in 24 hours"
    failed = {
        "StackId": STACK_ID,
        "StackName": "acme",
        "EventId": "1",
        "Timestamp": NOW,
        "LogicalResourceId": "Stream",
        "ResourceType": "AWS::Kinesis::Stream",
        "ResourceStatus": "UPDATE_FAILED",
        "ResourceStatusReason": why,
    }
    aws.responses["cloudformation.describe_stack_events"] = [{"StackEvents": []}, {"StackEvents": [failed]}]
    states = [stack(), stack(), stack("UPDATE_ROLLBACK_COMPLETE")]
    aws.responses["cloudformation.describe_stacks"] = states
    with pytest.raises(DeploymentError, match=r"10 UpdateShardCount calls in 24 hours\. A limit .* is reached"):
        virtual_time.run(scale(aws, "acme", now=NOW, apply=yes))


# --- The outcome ------------------------------------------------------------------------------------

CALM = [{"MetricDataResults": results(records_per_second=[60.0], duration_ms=[100.0])}]
SLOW_S3 = [{"MetricDataResults": results(put_latency_ms=[9_000.0], records_per_second=[114_000.0])}]
NOTHING = [{"MetricDataResults": []}]


@pytest.mark.parametrize(
    ("pages", "apply", "settled"),
    [
        (CALM, None, True),
        (BUSY, None, False),
        (BUSY, no, False),
        (BUSY, yes, True),
        (SLOW_S3, yes, False),  # only a person can repair the network
        (NOTHING, None, False),
        (NOTHING, yes, False),
    ],
)
def test_it_is_settled_if_rules_were_checked_and_all_advice_was_carried_out(pages, apply, settled):
    assert virtual_time.run(scale(account(pages), "acme", now=NOW, apply=apply)).settled is settled


def test_without_figures_the_text_is_not_that_nothing_is_to_be_changed():
    text = format_scaling(virtual_time.run(scale(account(NOTHING), "acme", now=NOW)))
    assert "Nothing was checked: CloudWatch has no figures of the last 60 minutes." in text
    assert "Nothing to change" not in text


def test_rules_without_figures_are_named():
    text = format_scaling(virtual_time.run(scale(account(CALM), "acme", now=NOW)))
    assert "Nothing to change." in text
    assert (
        "Not checked, because CloudWatch has no figures of the last 60 minutes: errors, uploads, concurrency." in text
    )
