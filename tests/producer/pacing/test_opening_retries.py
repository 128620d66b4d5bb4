"""When the calls that open a producer are tried again."""

from random import Random

import pytest

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.producer.pacing.opening_retries import OpeningRetries
from truckstream.producer.pacing.retry_backoff import RetryBackoff


def retries(deadline=30.0):
    return OpeningRetries(RetryBackoff(Random(1)), deadline)


def failure(kind):
    return RequestFailedError(kind, "SomeException", "")


@pytest.mark.parametrize("kind", FailureKind)
def test_the_failures_that_a_put_survives_are_tried_again(kind):
    permanent = {FailureKind.PERMANENT, FailureKind.POISONED}
    assert (retries().retry_at(failure(kind), 0.0) is None) is (kind in permanent)


def test_the_pauses_grow_and_end_with_the_deadline():
    attempts, now, pauses = retries(), 0.0, []
    while (at := attempts.retry_at(failure(FailureKind.THROTTLED), now)) is not None:
        pauses.append(at - now)
        now = at + 0.01
    assert max(pauses[:3]) <= 0.4
    assert max(pauses) > 1.0
    assert 29.9 < now < 30.0
    assert len(pauses) < 40


def test_no_attempt_comes_after_the_deadline():
    assert retries(deadline=10.0).retry_at(failure(FailureKind.NOT_SENT), 10.0) is None


@pytest.mark.parametrize(("left", "worthwhile"), [(0.04, False), (0.05, True), (1.0, True)])
def test_an_attempt_needs_a_twentieth_of_a_second(left, worthwhile):
    assert (retries(deadline=left).retry_at(failure(FailureKind.NOT_SENT), 0.0) is not None) is worthwhile
