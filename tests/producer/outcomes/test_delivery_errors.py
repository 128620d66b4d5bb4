"""The errors of records that were not acknowledged: each names the reason, and whether the record may be stored."""

import pytest

from truckstream.errors import (
    DeliveryError,
    DeliveryTimeoutError,
    DeliveryUnknownError,
    ProducerClosedError,
    ServiceError,
    StreamNotFoundError,
)
from truckstream.kinesis.failures import FailureKind
from truckstream.producer.outcomes import delivery_errors
from truckstream.producer.outcomes.failure_history import note_failure
from truckstream.producer.queueing.outbox import QueuedRecord


@pytest.fixture(params=[False, True], ids=["not stored", "maybe stored"])
def may_be_stored(request):
    return request.param


@pytest.fixture
def record(may_be_stored):
    """A record after three attempts, none of which is in its history."""
    return QueuedRecord(b"", b"", "TRUCK_001", None, 9, 9, None, attempts=3, maybe_duplicate=may_be_stored)


@pytest.fixture
def throttled(record):
    for _ in range(2):
        note_failure([record], FailureKind.THROTTLED, "LimitExceededException", "too many calls")
    return record


def test_a_timeout_carries_the_attempts_and_the_last_failure(throttled, may_be_stored):
    error = delivery_errors.timed_out(throttled, 12.5, ServiceError("Other", "of another record"))
    assert type(error) is DeliveryTimeoutError
    assert str(error) == (
        "not acknowledged within 12.5 s, in 3 attempts; the last failure was LimitExceededException: too many calls"
    )
    assert (error.attempts, error.may_be_stored) == (3, may_be_stored)
    assert error.attempts_by_kind == {"throttled": 2}
    assert str(error.__cause__) == "LimitExceededException: too many calls"


def test_a_timeout_of_a_record_without_failures_names_that_of_the_producer(record):
    """It waited, because the requests of others failed."""
    cause = ServiceError("ConnectError", "refused")
    error = delivery_errors.timed_out(record, 2, cause)
    assert str(error) == "not acknowledged within 2 s, in 3 attempts; the last failure was ConnectError: refused"
    assert (error.attempts_by_kind, error.__cause__) == ({}, cause)
    assert str(delivery_errors.timed_out(record, 2)) == "not acknowledged within 2 s, in 3 attempts"


@pytest.mark.parametrize(
    ("is_withdrawn", "state", "kind"),
    [(True, "was not sent yet", "not sent"), (False, "is still under way", "in flight")],
)
def test_a_timeout_in_flight_counts_the_attempt_under_way(record, may_be_stored, is_withdrawn, state, kind):
    error = delivery_errors.timed_out_in_flight(record, 5, is_withdrawn=is_withdrawn)
    assert type(error) is DeliveryTimeoutError
    assert str(error) == f"not acknowledged within 5 s: attempt 3 {state}"
    assert (error.attempts, error.may_be_stored, error.attempts_by_kind) == (3, may_be_stored, {kind: 1})
    assert str(error.__cause__) == f"TimeoutError: attempt 3 {state}"


def test_a_timeout_in_flight_keeps_the_history(throttled):
    error = delivery_errors.timed_out_in_flight(throttled, 5, is_withdrawn=False)
    assert error.attempts_by_kind == {"throttled": 2, "in flight": 1}
    assert str(error.__cause__) == "LimitExceededException: too many calls"
    note_failure([throttled], FailureKind.NOT_SENT, "ConnectError", "refused")
    error = delivery_errors.timed_out_in_flight(throttled, 5, is_withdrawn=True)
    assert error.attempts_by_kind == {"throttled": 2, "not sent": 2}


def test_a_rejected_record_has_the_services_error_unless_it_may_be_stored(record, may_be_stored):
    """An earlier attempt without a response may have stored it; the service's error alone would deny that."""
    error = delivery_errors.rejected(record, "ResourceNotFoundException", "no such stream")
    if may_be_stored:
        assert type(error) is DeliveryError
        assert str(error) == (
            "rejected after an attempt whose outcome is unknown: ResourceNotFoundException: no such stream"
        )
        assert (error.attempts, error.may_be_stored) == (3, True)
        error = error.__cause__
    assert type(error) is StreamNotFoundError
    assert str(error) == "ResourceNotFoundException: no such stream"


def test_a_record_in_flight_at_the_end_is_unknown(record):
    error = delivery_errors.closed_in_flight(record)
    assert type(error) is DeliveryUnknownError
    assert str(error) == "the producer was closed while a request with this record was in flight"
    assert (error.attempts, error.may_be_stored) == (3, True)


def test_a_record_that_waits_at_the_end_was_sent_before_or_never(record, may_be_stored):
    error = delivery_errors.closed_before_sending(record)
    assert type(error) is DeliveryError
    assert str(error) == "the producer was closed before attempt 4 at this record"
    assert (error.attempts, error.may_be_stored) == (3, may_be_stored)
    record.attempts = 0
    error = delivery_errors.closed_before_sending(record)
    assert type(error) is ProducerClosedError
    assert str(error) == "the producer was closed before it sent this record"


def test_a_withdrawn_record_was_not_sent_this_time(record, may_be_stored):
    error = delivery_errors.withdrawn(record)
    assert type(error) is DeliveryError
    assert str(error) == "the producer was closed before attempt 3 at this record was sent"
    assert (error.attempts, error.may_be_stored) == (3, may_be_stored)


def test_the_copy_of_a_record_in_a_forked_process_is_unknown(record):
    error = delivery_errors.forked(record)
    assert type(error) is DeliveryUnknownError
    assert str(error) == ("this process was forked before the record had an outcome: its producer is in the parent")
    assert (error.attempts, error.may_be_stored) == (3, True)
