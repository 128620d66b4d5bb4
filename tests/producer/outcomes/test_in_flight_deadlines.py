"""Records whose deadline passes while a request with them is in flight.

Three records were put at the times 0, 10 and 20, and `delivery_timeout` is 100 s. So the request ends at 120.
"""

import math

import pytest

from tests.producer.routing.support import make_record, make_router
from tests.producer.support import even_shards
from truckstream.kinesis.failures import FailureKind
from truckstream.producer.outcomes.in_flight_deadlines import InFlightDeadlines
from truckstream.producer.queueing.request import Request


class Outcomes:
    """A settlement that notes what it is told."""

    def __init__(self):
        #: The records that failed, and whether they may still be stored.
        self.failed = []
        self.ended = []

    def fail(self, records, failure, *, may_come_yet=False):
        for record in records:
            record.failure = failure
            self.failed.append((record, may_come_yet))

    def on_request_ended(self, record):
        self.ended.append(record)


@pytest.fixture
def router():
    router = make_router(ordered=True, pacing=False)
    router.set_shards(even_shards(1), 0.0)
    return router


@pytest.fixture
def outcomes():
    return Outcomes()


@pytest.fixture
def deadlines(outcomes):
    return InFlightDeadlines(100.0, outcomes)


@pytest.fixture
def sent(router):
    """A function that sends the three records, of three keys, and returns them and their request."""

    def send(*steps):
        records = [make_record(router, 10.0 * number, f"TRUCK_{number}") for number in range(3)]
        for record in records:
            record.outbox.queue.pop()
            record.attempts = 1
        request = Request(list(records), 20.0, 100.0)
        for step in steps:
            getattr(request.attempt, step)()
        return records, request

    return send


def test_an_older_record_fails_at_its_deadline_and_the_request_goes_on(deadlines, outcomes, sent):
    (oldest, middle, _), request = sent("prepare", "begin")
    assert request.wakeup_at == 100.0
    assert deadlines.expire(request, 99.9) is None
    assert outcomes.failed == []
    assert deadlines.expire(request, 100.0) is None
    assert outcomes.failed == [(oldest, True)]
    assert oldest.maybe_duplicate
    assert str(oldest.error) == "not acknowledged within 100 s: attempt 1 is still under way"
    assert request.wakeup_at == 110.0
    assert deadlines.expire(request, 110.0) is None
    assert outcomes.failed == [(oldest, True), (middle, True)]
    assert request.overdue == [oldest, middle]
    assert request.wakeup_at == 121.0


def test_the_keys_of_failed_records_are_released_when_the_request_has_ended(deadlines, outcomes, sent):
    """A record that is stored late must not come after its successors."""
    (oldest, middle, _), request = sent("prepare", "begin")
    deadlines.expire(request, 110.0)
    assert outcomes.ended == []
    deadlines.on_end(request)
    assert outcomes.ended == [oldest, middle]
    deadlines.on_end(request)
    assert outcomes.ended == [oldest, middle], "once"


def test_a_request_of_which_nothing_was_sent_is_withdrawn(deadlines, outcomes, sent):
    (oldest, _, _), request = sent("prepare")
    assert deadlines.expire(request, 100.0) is None
    assert outcomes.failed == [(oldest, False)]
    assert oldest.maybe_duplicate is False
    assert str(oldest.error) == "not acknowledged within 100 s: attempt 1 was not sent yet"
    assert request.attempt.withdraw(), "nothing of it will be sent"
    assert request.overdue == []


def test_a_doubt_of_an_earlier_attempt_stays(deadlines, sent):
    (oldest, _, _), request = sent("prepare")
    oldest.maybe_duplicate = True
    deadlines.expire(request, 100.0)
    assert oldest.maybe_duplicate is True


@pytest.mark.parametrize(
    ("steps", "kind"), [(("prepare",), FailureKind.NOT_SENT), (("prepare", "begin"), FailureKind.AMBIGUOUS)]
)
def test_a_client_that_does_not_end_its_attempt_gets_a_second_more(deadlines, sent, steps, kind):
    """The records must have an outcome and others must be sent, whatever a client of the user's does."""
    _, request = sent(*steps)
    assert deadlines.expire(request, 120.9) is None
    failure = deadlines.expire(request, 121.0)
    assert failure.kind is kind
    assert str(failure) == "TimeoutError: the client did not end the attempt in time"


def test_records_that_wait_for_a_failed_one_keep_their_own_deadlines(deadlines, outcomes, sent, router):
    (oldest, middle, _), request = sent("prepare", "begin")
    first, second = (make_record(router, at, "TRUCK_0") for at in (1.0, 2.0))
    other = make_record(router, 3.0, "TRUCK_1")
    deadlines.expire(request, 100.0)
    assert request.wakeup_at == 101.0, "when the first of those that wait expires"
    deadlines.expire(request, 101.0)
    assert outcomes.failed == [(oldest, True), (first, False)]
    assert str(first.error) == "not acknowledged within 100 s, in 0 attempts"
    assert request.wakeup_at == 102.0
    deadlines.expire(request, 110.0)
    assert [record for record, _ in outcomes.failed[2:]] == [middle, second, other]
    assert request.wakeup_at == 121.0


def test_without_older_records_only_the_end_of_the_grace_is_awaited(deadlines, outcomes, router):
    record = make_record(router, 20.0)
    record.outbox.queue.pop()
    request = Request([record], 20.0, 100.0)
    assert request.expires_at == math.inf
    assert deadlines.expire(request, 120.0) is None
    assert outcomes.failed == [], "the end of the attempt is its outcome"
    assert request.wakeup_at == 121.0
