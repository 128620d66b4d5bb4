"""The scaling rules, on CloudWatch's figures; and a stack that is brought to what they ask for."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import virtual_time
from tests.cloud.scripted import ScriptedAws
from truckstream.cloud import scale
from truckstream.cloud.watch.cloudwatch_figures import Figures, queries, read_figures, summarize
from truckstream.cloud.watch.scaling_rules import BYTES_A_SHARD, MAX_SHARDS, RECORDS_A_SHARD, Capacity, advise
from truckstream.errors import DeploymentError, InvalidArgumentError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def capacity(**changed):
    return Capacity(**({"shards": 2, "on_demand": False, "memory": 512, "timeout": 300} | changed))


def advice(figures, **changed):
    """Rule, parameter and value of each piece of advice."""
    found = advise(Figures(60, **figures), capacity(**changed))
    return [(each.rule, each.parameter, each.value) for each in found]


@pytest.mark.parametrize(
    ("figures", "changed", "expected"),
    [
        ({}, {}, []),
        ({"records_per_second": 1_600.0}, {}, []),
        ({"records_per_second": 1_601.0}, {}, [("shards", "ShardCount", "3")]),
        ({"records_per_second": 900.0}, {"shards": 1}, [("shards", "ShardCount", "2")]),
        ({"bytes_per_second": 2.0 * 1024 * 1024}, {}, [("shards", "ShardCount", "3")]),
        ({"records_per_second": 80_000.0}, {}, [("shards", "ShardCount", "4")]),
        ({"records_per_second": 80_000.0}, {"on_demand": True}, []),
        ({"duration_ms": 240_000.0}, {}, []),
        ({"duration_ms": 240_001.0}, {}, [("memory", "MemorySize", "1024")]),
        ({"duration_ms": 250_000.0}, {"timeout": 900}, []),
        ({"duration_ms": 290_000.0}, {"memory": 8_192}, [("memory", "MemorySize", "10240")]),
        ({"duration_ms": 290_000.0}, {"memory": 10_240}, [("memory", None, None)]),
        ({"errors": 1.0, "invocations": 100.0}, {}, []),
        ({"errors": 2.0, "invocations": 100.0}, {}, [("errors", None, None)]),
        ({"put_latency_ms": 5_000.0}, {}, []),
        ({"put_latency_ms": 5_001.0}, {}, [("uploads", None, None)]),
        ({"throttles": 3.0}, {}, [("concurrency", None, None)]),
        ({"throttles": 3.0}, {"reserved_concurrency": 1}, [("concurrency", "ReservedConcurrency", "2")]),
        ({"throttles": 3.0}, {"reserved_concurrency": 2}, [("concurrency", None, None)]),
    ],
)
def test_a_rule_applies_beyond_its_limit_and_not_at_it(figures, changed, expected):
    assert advice(figures, **changed) == expected


def test_a_large_step_says_where_it_leads():
    [found] = advise(Figures(60, records_per_second=7_000.0), capacity())
    assert found.action == "2 shards -> 4, then 9: Kinesis at most doubles at once"


rates = st.floats(0, 1e8)


@given(records=rates, size=st.floats(0, 1e11), shards=st.integers(1, MAX_SHARDS))
def test_shards_never_more_than_double_never_fall_and_stay_within_what_kinesis_takes(records, size, shards):
    found = advise(Figures(60, records_per_second=records, bytes_per_second=size), capacity(shards=shards))
    if not found:
        assert shards == MAX_SHARDS or (records <= shards * RECORDS_A_SHARD and size <= shards * BYTES_A_SHARD)
    for each in found:
        assert shards < int(each.value) <= min(2 * shards, MAX_SHARDS)


@given(records=st.floats(801, 1e6))
def test_repeated_runs_arrive_and_then_leave_it_alone(records):
    shards = 1
    for _ in range(20):
        found = advise(Figures(60, records_per_second=records), capacity(shards=shards))
        if not found:
            break
        shards = int(found[0].value)
    assert records / shards <= RECORDS_A_SHARD
    assert shards == 1 or records / (shards - 1) > RECORDS_A_SHARD


# --- CloudWatch's figures ---------------------------------------------------------------------------


def results(**values):
    return [{"Id": name, "Values": found, "Timestamps": [], "StatusCode": "Complete"} for name, found in values.items()]


def test_figures_are_of_the_busiest_minute_or_of_all():
    found = summarize(results(records_per_second=[600.0, 6_000.0], records=[600.0, 6_000.0], errors=[1.0, 2.0]), 60)
    assert (found.records_per_second, found.records, found.errors) == (100.0, 6_600.0, 3.0)


@pytest.mark.parametrize("minutes", [0, -5, 21_601, 10**12])
def test_minutes_that_cloudwatch_has_not_are_refused(minutes):
    with pytest.raises(InvalidArgumentError, match=f"minutes is {minutes}: must be from 1 to 21600"):
        virtual_time.run(read_figures(ScriptedAws({}), stream=None, function=None, now=NOW, minutes=minutes))


def test_no_data_point_is_no_figure():
    assert summarize(results(errors=[]), 60) == Figures(60)
    assert Figures(60, errors=0.0, invocations=0.0).error_rate is None


def test_without_a_function_only_the_stream_is_asked_for():
    assert {query["MetricStat"]["Metric"]["Namespace"] for query in queries("trucks", None)} == {"AWS/Kinesis"}
    assert queries(None, None) == []


# --- The stack is brought to it ---------------------------------------------------------------------

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
    """A deployed pipeline of two shards with these pages of figures."""
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


#: 1,900 records/s over two shards, and a call of 250 s, on two pages.
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
    assert aws.asked("cloudformation.create_change_set") == []


def test_apply_changes_the_parameters_and_keeps_template_and_all_others():
    aws = account(BUSY)
    found = virtual_time.run(scale(aws, "acme", now=NOW, apply=yes))
    assert found.deployment.done is True
    [asked] = aws.asked("cloudformation.create_change_set")
    assert asked["UsePreviousTemplate"] is True
    rows = {row["ParameterKey"]: row.get("ParameterValue") for row in asked["Parameters"]}
    assert rows == {"ShardCount": "3", "MemorySize": "1024", "CreateStream": None}
    assert aws.asked("kinesis.update_shard_count") == []


def test_the_shards_of_a_stream_that_is_not_the_stacks_are_changed_by_kinesis():
    aws = account(BUSY, CreateStream="false")
    virtual_time.run(scale(aws, "acme", now=NOW, apply=yes))
    [asked] = aws.asked("kinesis.update_shard_count")
    assert asked == {"StreamName": "trucks", "TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING"}


def test_no_for_an_answer_changes_nothing():
    aws = account(BUSY, CreateStream="false")
    assert virtual_time.run(scale(aws, "acme", now=NOW, apply=no)).deployment.done is False
    assert aws.asked("cloudformation.execute_change_set") == aws.asked("kinesis.update_shard_count") == []


def test_where_all_is_well_apply_asks_nobody():
    aws = account([{"MetricDataResults": results(records_per_second=[60.0])}])
    found = virtual_time.run(scale(aws, "acme", now=NOW, apply=no))
    assert (found.advice, found.deployment) == ((), None)


def test_a_stack_that_is_being_changed_is_left_alone():
    aws = account(BUSY)
    aws.answers["cloudformation.describe_stacks"] = [stack("UPDATE_IN_PROGRESS")]
    with pytest.raises(DeploymentError, match="Wait until it is done"):
        virtual_time.run(scale(aws, "acme", now=NOW, apply=yes))


def test_the_eleventh_time_in_a_day_is_refused_in_kinesis_own_words():
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
    aws.answers["cloudformation.describe_stack_events"] = [{"StackEvents": []}, {"StackEvents": [failed]}]
    states = [stack(), stack(), stack("UPDATE_ROLLBACK_COMPLETE")]
    aws.answers["cloudformation.describe_stacks"] = states
    with pytest.raises(DeploymentError, match=r"10 UpdateShardCount calls in 24 hours\. A limit .* is reached"):
        virtual_time.run(scale(aws, "acme", now=NOW, apply=yes))
