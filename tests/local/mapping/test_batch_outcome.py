"""The meaning of a function's response: the forms that were recorded on AWS, and a few that were not."""

import datetime as dt

import pytest

from truckstream.local.mapping.function.batch_outcome import BatchOutcome, outcome_of

NUMBERS = ["9", "10", "11"]  # as text, "10" and "11" would come before "9"


def outcome(response, **options):
    return outcome_of(response, NUMBERS, **{"reports_item_failures": True} | options)


@pytest.mark.parametrize("response", ["", [], None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_recorded_forms_of_success(response):
    assert outcome(response) == BatchOutcome("succeeded")


@pytest.mark.parametrize(
    "items",
    [
        [{"itemIdentifier": "123"}],
        [{"itemIdentifier": 10}],
        [{"itemIdentifier": ""}],
        [{"itemIdentifier": None}],
        [{"foo": "10"}],
        [{"foo": None}],
        [{"itemIdentifier": "10"}, {"itemIdentifier": "123"}],
        ["10"],
        "10",
        {"itemIdentifier": "10"},
    ],
)
def test_forms_that_fail_the_whole_batch(items):
    assert outcome({"batchItemFailures": items}) == BatchOutcome("failed", function_error=None)


def test_a_repeated_number_names_its_first_record():
    """Records from the checkpoint on are delivered again, so none with that number may stand before it."""
    response = {"batchItemFailures": [{"itemIdentifier": "10"}]}
    assert outcome_of(response, ["9", "10", "10", "11"], reports_item_failures=True) == BatchOutcome("progressed", 1)


def test_the_lowest_identifier_is_the_checkpoint_as_an_integer():
    items = [{"itemIdentifier": "11"}, {"itemIdentifier": "10"}]
    assert outcome({"batchItemFailures": items}) == BatchOutcome("progressed", 1)


def test_a_checkpoint_at_the_first_record_is_no_progress():
    items = [{"itemIdentifier": "11"}, {"itemIdentifier": "9"}]
    assert outcome({"batchItemFailures": items}) == BatchOutcome("failed")


def test_without_report_batch_item_failures_the_response_is_ignored():
    response = {"batchItemFailures": [{"itemIdentifier": "9"}]}
    assert outcome(response, reports_item_failures=False) == BatchOutcome("succeeded")


@pytest.mark.parametrize("response", ["done", 17, ["x"], {"statusCode": 500}])
def test_a_response_about_something_else_is_success(response):
    """Inferred: a wrong key at the top behaves as an empty response."""
    assert outcome(response) == BatchOutcome("succeeded")


def test_a_response_that_is_not_json_is_the_runtimes_error():
    assert outcome({"at": dt.datetime.now(dt.UTC)}) == BatchOutcome("failed", function_error="Unhandled")
