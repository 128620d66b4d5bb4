"""The failed attempts that a timeout error reports."""

from types import SimpleNamespace

from truckstream.kinesis.failures import FailureKind
from truckstream.producer.outcomes.failure_history import note_failure


def records(count):
    return [SimpleNamespace(failures=None) for _ in range(count)]


def test_attempts_are_counted_by_kind_and_the_last_failure_is_the_cause():
    [record] = records(1)
    for _ in range(3):
        note_failure([record], FailureKind.THROTTLED, "ProvisionedThroughputExceededException", "Rate exceeded")
    note_failure([record], FailureKind.AMBIGUOUS, "ReadTimeout", "no response")
    note_failure([record], FailureKind.THROTTLED, "LimitExceededException", "too many calls")
    assert record.failures.attempts_by_kind == {"throttled": 4, "ambiguous": 1}
    assert list(record.failures.attempts_by_kind) == ["throttled", "ambiguous"]
    assert str(record.failures.cause) == "LimitExceededException: too many calls"


def test_records_that_failed_in_the_same_way_share_a_history():
    """An outage with 100,000 records in the buffer makes some dozens of histories."""
    failed = records(100)
    for _ in range(2):
        note_failure(failed, FailureKind.NOT_SENT, "ConnectionRefused", "")
    assert {id(record.failures) for record in failed} == {id(failed[0].failures)}
    assert failed[0].failures.attempts_by_kind == {"not sent": 2}


def test_records_with_different_histories_keep_them_apart():
    first, second = records(2)
    note_failure([first], FailureKind.CREDENTIALS, "ExpiredToken", "")
    note_failure([first, second], FailureKind.NOT_SENT, "ConnectionRefused", "")
    assert first.failures.attempts_by_kind == {"credentials": 1, "not sent": 1}
    assert second.failures.attempts_by_kind == {"not sent": 1}
