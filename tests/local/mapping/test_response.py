"""What a function's answer means: the forms that were recorded on AWS, and the few that were not."""

import datetime as dt

import pytest

from truckstream.local.mapping.function.response import Verdict, judge

NUMBERS = ["9", "10", "11"]  # as text, "10" and "11" would come before "9"


def verdict(answer, **options):
    return judge(answer, NUMBERS, **{"reports_item_failures": True} | options)


@pytest.mark.parametrize("answer", ["", [], None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_recorded_forms_of_success(answer):
    assert verdict(answer) == Verdict("succeeded")


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
    assert verdict({"batchItemFailures": items}) == Verdict("failed", function_error=None)


def test_the_lowest_identifier_is_the_checkpoint_as_an_integer():
    items = [{"itemIdentifier": "11"}, {"itemIdentifier": "10"}]
    assert verdict({"batchItemFailures": items}) == Verdict("progressed", 1)


def test_a_checkpoint_at_the_first_record_is_no_progress():
    items = [{"itemIdentifier": "11"}, {"itemIdentifier": "9"}]
    assert verdict({"batchItemFailures": items}) == Verdict("failed")


def test_without_report_batch_item_failures_the_answer_is_ignored():
    answer = {"batchItemFailures": [{"itemIdentifier": "9"}]}
    assert verdict(answer, reports_item_failures=False) == Verdict("succeeded")


@pytest.mark.parametrize("answer", ["done", 17, ["x"], {"statusCode": 500}])
def test_an_answer_about_something_else_is_success(answer):
    """Inferred: a wrong key at the top behaves as an empty answer."""
    assert verdict(answer) == Verdict("succeeded")


def test_an_answer_that_is_not_json_is_the_runtimes_error():
    assert verdict({"at": dt.datetime.now(dt.UTC)}) == Verdict("failed", function_error="Unhandled")
