"""The status page: which objects are listed, and what is shown of AWS's responses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.cloud.scripted_aws import aws_error
from tests.cloud.watch.healthy_pipeline import healthy_function, healthy_mapping, healthy_stack, healthy_stream
from truckstream.cloud.watch.reading.deployed_parts import DeployedParts
from truckstream.cloud.watch.status_page import (
    AlarmState,
    Origin,
    alarm_states,
    find_problems,
    last_errors,
    newest_objects,
    object_listings,
)

NOW = datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC)


def test_the_flat_layout_needs_one_listing_that_starts_at_the_period():
    assert list(object_listings({}, NOW, 60)) == [("sensor_data/", "sensor_data/batch_2025-01-15T13-30-25")]


def test_the_hive_layout_needs_one_listing_for_each_hour_of_the_period():
    variables = {"LAYOUT": "hive", "PREFIX": "data"}
    assert list(object_listings(variables, NOW, 60)) == [
        ("data/year=2025/month=01/day=15/hour=13/", ""),
        ("data/year=2025/month=01/day=15/hour=14/", ""),
    ]


def test_the_newest_five_objects_remain_of_all_pages():
    found = []
    for page in ("abcd", "efg"):
        rows = [{"Key": key, "Size": 1, "LastModified": NOW} for key in page]
        found = newest_objects(found, {"Contents": rows})
    assert "".join(row.key for row in found) == "cdefg"
    assert newest_objects(found, {}) == found


def test_active_alarms_come_first():
    rows = [
        {"AlarmName": name, "StateValue": state}
        for name, state in (("b", "OK"), ("a", "INSUFFICIENT_DATA"), ("c", "ALARM"))
    ]
    assert [alarm.name for alarm in alarm_states({"MetricAlarms": rows})] == ["c", "a", "b"]


def test_the_newest_error_comes_first():
    times = [NOW + timedelta(seconds=seconds) for seconds in range(7)]
    events = [{"timestamp": int(time.timestamp() * 1000), "message": " ERROR\n"} for time in times]
    shown = last_errors({"events": events})
    assert [line.time for line in shown] == times[:1:-1]
    assert {line.message for line in shown} == {"ERROR"}
    assert last_errors(None) == ()


# --- Problems ---------------------------------------------------------------------------------------

ORIGIN = Origin("stack", "acme", "us-east-1", ("--region", "us-east-1"))


def problems(*, stack="UPDATE_COMPLETE", missing=(), alarms=(), bucket_exists=True, unread=(), **changed):
    """Return the problems of a healthy pipeline with these changes."""
    found = {"stream": healthy_stream(), "mapping": healthy_mapping(), "function": healthy_function()}
    found = {name: None if name in missing else row | changed.get(name, {}) for name, row in found.items()}
    names = {"stream_name": "trucks", "bucket_name": "acme-truck-data", "function_name": "acme"}
    parts = DeployedParts(replace(healthy_stack(), status=stack), **names, **found, unread=list(unread))
    return find_problems(parts, alarms, ORIGIN, bucket_exists=bucket_exists)


def test_a_healthy_pipeline_has_no_problems():
    assert problems() == ()
    assert problems(stack="UPDATE_IN_PROGRESS", alarms=[AlarmState("acme-load", "OK", None)]) == ()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"mapping": {"LastProcessingResult": "PROBLEM: Function call failed"}}, "PROBLEM: Function call failed"),
        ({"mapping": {"LastProcessingResult": "FAILED"}}, "the mapping's last delivery failed (FAILED)"),
        ({"mapping": {"State": "Disabled"}}, "the mapping is Disabled"),
        ({"missing": ["stream"]}, "the stream trucks does not exist"),
        ({"missing": ["function", "mapping"]}, "no function, so that records wait in the stream: truckstream deploy"),
        ({"missing": ["mapping"]}, "no event source mapping connects"),
        ({"bucket_exists": False}, "the bucket acme-truck-data does not exist"),
        ({"stream": {"StreamStatus": "DELETING"}}, "the stream is DELETING"),
        ({"function": {"State": "Failed", "StateReason": "no key"}}, "failed: no key"),
        ({"function": {"LastUpdateStatus": "Failed"}}, "failed: AWS gives no reason"),
        ({"stack": "ROLLBACK_COMPLETE"}, "the stack is ROLLBACK_COMPLETE"),
        ({"stack": "UPDATE_ROLLBACK_FAILED"}, "the stack is UPDATE_ROLLBACK_FAILED"),
        ({"stack": "DELETE_FAILED"}, "the stack is DELETE_FAILED"),
        ({"alarms": [AlarmState("acme-load", "ALARM", None)]}, "alarms are active: acme-load"),
    ],
)
def test_each_problem_is_named(changed, words):
    [problem] = problems(**changed)
    assert words in problem


@pytest.mark.parametrize("result", ["OK", "No records processed", "OK - 5 records"])
def test_the_results_of_deliveries_that_worked_are_no_problem(result):
    assert problems(mapping={"LastProcessingResult": result}) == ()


def test_a_part_that_could_not_be_read_is_not_missing():
    denied = aws_error("AccessDenied", "no", "lambda:GetFunctionConfiguration")
    assert problems(missing=["function", "mapping"], unread=[denied]) == ()


def test_if_nothing_is_found_the_problem_names_what_to_check():
    [problem] = find_problems(DeployedParts(), (), ORIGIN, bucket_exists=True)
    assert problem == (
        "there is no stack acme in us-east-1: check its name, the region (--region, AWS_REGION) and the account "
        "(AWS_PROFILE), or create it: truckstream deploy --stack acme --region us-east-1"
    )
    by_function = Origin("function", "by-hand", "us-east-1")
    [problem] = find_problems(DeployedParts(function_name="by-hand"), (), by_function, bucket_exists=True)
    assert problem.startswith("there is no function by-hand in us-east-1: check its name")
    assert "deploy" not in problem
