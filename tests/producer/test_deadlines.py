"""Deadlines of records in flight, in the core: each record gets its outcome in time, and it is the truth.

`delivery_timeout` is 120 s in all of these tests.
"""

import pytest

from tests.producer.support import Service, even_shards, failed_inside, next_request, put, throttled
from truckstream.errors import DeliveryTimeoutError, ServiceError
from truckstream.kinesis.failures import FailureKind, RequestFailedError


def failure(kind, code="SomeException", message="the service's message"):
    return RequestFailedError(kind, code, message)


def sent_together(core, *puts, **options):
    """Put records at the given times, as (time, key), and send them in one request at the time of the last."""
    records = [put(core, b"%d" % number, now, key) for number, (now, key) in enumerate(puts)]
    core.flush()
    [request] = core.requests_due(puts[-1][0])
    for step in options.get("steps", ()):
        getattr(request.attempt, step)()
    return records, request


# --- Deadlines in flight --------------------------------------------------------------------------


def test_a_request_ends_with_the_deadline_of_its_youngest_record(make_core):
    core = make_core()
    _, request = sent_together(core, (0.0, "a"), (50.0, "b"))
    assert request.deadline == 170.0


def test_an_older_record_fails_at_its_deadline_and_the_request_goes_on_for_the_younger(make_core):
    core = make_core()
    (older, younger), request = sent_together(core, (0.0, "a"), (50.0, "b"))
    assert core.next_wakeup(50.0) == 120.0
    assert core.requests_due(120.0) == []
    assert core.take_settled() == [older]
    assert isinstance(older.error, DeliveryTimeoutError)
    assert str(older.error) == "not acknowledged within 120 s: attempt 1 is still under way"
    assert older.error.may_be_stored
    assert older.error.attempts_by_kind == {"in flight": 1}
    assert str(older.error.__cause__) == "TimeoutError: attempt 1 is still under way"
    stats = core.stats(120.0)
    assert (stats.buffered, stats.in_flight, stats.requests_in_flight, stats.failed) == (0, 1, 1, 1)

    core.on_responses(request, Service(even_shards(1)).respond(request), 130.0)
    assert core.take_settled() == [younger]
    assert (younger.response.sequence_number, older.response) == ("2", None)
    stats = core.stats(130.0)
    assert (stats.acked, stats.failed, stats.in_flight, stats.buffered_bytes) == (1, 1, 0, 0)
    assert stats.acked_bytes == younger.size
    assert (stats.maybe_duplicates, stats.shards["shardId-000000000000"].in_flight) == (1, 0)


def test_a_record_that_expired_in_flight_is_not_sent_again(make_core):
    """Neither after a failure of the whole request nor after one of its records."""
    for report in ("failure", "responses"):
        core = make_core()
        (older, younger), request = sent_together(core, (0.0, "a"), (50.0, "b"))
        core.requests_due(120.0)
        if report == "failure":
            core.on_failure(request, failure(FailureKind.NOT_SENT), 121.0)
        else:
            core.on_responses(request, [failed_inside(), throttled()], 121.0)
        _, again = next_request(core, 121.0)
        assert again.parcels == [younger]
        assert older.error.attempts_by_kind == {"in flight": 1}


def test_a_request_of_which_nothing_was_sent_is_withdrawn(make_core):
    """It waits for credentials or a proxy. Its older record is certainly not stored, the younger one is sent again."""
    core = make_core()
    (older, younger), request = sent_together(core, (0.0, "a"), (50.0, "b"), steps=["prepare"])
    core.requests_due(120.0)
    assert core.take_settled() == [older]
    assert not older.error.may_be_stored
    assert str(older.error) == "not acknowledged within 120 s: attempt 1 was not sent yet"
    assert older.error.attempts_by_kind == {"not sent": 1}
    with pytest.raises(RequestFailedError, match="Withdrawn") as withdrawn:
        request.attempt.begin()
    core.on_failure(request, withdrawn.value, 121.0)
    _, again = next_request(core, 121.0)
    assert again.parcels == [younger]
    assert not younger.maybe_duplicate


def test_the_youngest_records_get_their_outcome_from_the_end_of_the_attempt(make_core):
    core = make_core()
    (record,), request = sent_together(core, (0.0, "a"), steps=["prepare", "begin"])
    assert core.requests_due(120.0) == []
    assert core.take_settled() == []
    core.on_failure(request, failure(FailureKind.NOT_SENT, "TimeoutError", "the uplink is slow"), 120.0)
    core.requests_due(120.0)
    assert core.take_settled() == [record]
    assert not record.error.may_be_stored
    assert str(record.error.__cause__) == "TimeoutError: the uplink is slow"


@pytest.mark.parametrize(("steps", "may_be_stored"), [([], True), (["prepare"], False), (["prepare", "begin"], True)])
def test_a_client_that_does_not_end_its_attempt_gets_a_second(make_core, steps, may_be_stored):
    core = make_core()
    (record,), request = sent_together(core, (0.0, "a"), steps=steps)
    assert core.next_wakeup(0.0) == 121.0
    core.requests_due(121.0)
    assert core.take_settled() == [record]
    assert record.error.may_be_stored is may_be_stored
    assert core.stats(121.0).requests_in_flight == 0
    core.on_responses(request, Service(even_shards(1)).respond(request), 500.0)  # too late, and harmless
    assert core.take_settled() == []


def test_a_malformed_record_is_still_found_when_others_have_expired(make_core):
    """A rejection of the whole request says nothing about the one record that is left of it."""
    core = make_core()
    (_, younger), request = sent_together(core, (0.0, "a"), (50.0, "b"))
    core.requests_due(120.0)
    core.on_failure(request, failure(FailureKind.POISONED, "ValidationException"), 121.0)
    _, again = next_request(core, 121.0)
    assert again.parcels == [younger]
    core.on_failure(again, failure(FailureKind.POISONED, "ValidationException"), 122.0)
    assert isinstance(younger.error, ServiceError)


def test_halves_of_a_rejected_request_expire_while_no_request_may_be_sent(make_core):
    core = make_core(max_in_flight=1)
    _, request = sent_together(core, *[(0.0, f"TRUCK_{number}") for number in range(4)])
    core.on_failure(request, failure(FailureKind.POISONED, "ValidationException"), 100.0)
    [first_half] = core.requests_due(100.0)
    assert core.next_wakeup(100.0) == 120.0
    core.requests_due(120.0)
    assert len(core.take_settled()) == 2
    assert len(first_half.parcels) == 2


def test_a_request_for_which_nobody_waits_any_more_ends_without_harm(make_core):
    core = make_core()
    _, request = sent_together(core, (0.0, "a"), (1.0, "b"))
    core.requests_due(122.0)
    assert len(core.take_settled()) == 2
    core.on_responses(request, [throttled(), throttled()], 122.0)
    assert core.requests_due(500.0) == []
    assert core.stats(500.0).failed == 2


# --- Bundles --------------------------------------------------------------------------------------


def test_a_bundle_is_sent_again_without_its_expired_records(make_core):
    core = make_core(aggregate=True)
    (older, younger, youngest), request = sent_together(core, (0.0, "a"), (50.0, "b"), (60.0, "c"))
    [bundle] = request.parcels
    assert bundle.members == [older, younger, youngest]
    core.requests_due(120.0)
    core.on_failure(request, failure(FailureKind.AMBIGUOUS), 121.0)
    _, again = next_request(core, 121.0)
    assert again.parcels[0].members == [younger, youngest]
    assert younger.maybe_duplicate
    assert core.stats(121.0).in_flight == 2
    core.on_responses(again, Service(even_shards(1)).respond(again), 122.0)
    assert (core.stats(122.0).acked, core.stats(122.0).failed) == (2, 1)


def test_a_bundle_that_is_stored_acknowledges_its_other_records(make_core):
    core = make_core(aggregate=True)
    (older, younger), request = sent_together(core, (0.0, "a"), (50.0, "b"))
    core.requests_due(120.0)
    core.on_responses(request, Service(even_shards(1)).respond(request), 121.0)
    assert (older.response, younger.response.sequence_number) == (None, "1")
    assert (core.stats(121.0).acked, core.stats(121.0).buffered_bytes) == (1, 0)


def test_a_bundle_that_waits_for_the_map_acknowledges_its_other_records_alone(make_core):
    """A record has one outcome, though the bundle is judged long after the record expired."""
    core, service = make_core(shards=2, aggregate=True), Service(even_shards(1, first=2))
    (older, younger), request = sent_together(core, (0.0, "a"), (50.0, "c"))  # of one shard
    core.requests_due(120.0)
    core.on_responses(request, service.respond(request), 121.0)
    assert core.take_settled() == [older]
    assert core.start_listing(121.0)
    core.on_shards(service.shards.shards, 121.0)
    assert core.take_settled() == [younger]
    assert (older.response, core.stats(121.0).acked, core.stats(121.0).failed) == (None, 1, 1)
    assert core.stats(121.0).buffered_bytes == 0


# --- Order ----------------------------------------------------------------------------------------


def test_the_next_record_of_a_key_waits_until_the_request_with_the_failed_one_has_ended(make_core):
    """The failed record may still be stored, and must not come after its successors."""
    core = make_core(ordered=True)
    (_, younger), request = sent_together(core, (0.0, "a"), (50.0, "b"))
    successor = put(core, b"next", 60.0, "a")
    core.flush()
    assert core.requests_due(120.0) == []
    core.on_responses(request, Service(even_shards(1)).respond(request), 130.0)
    [after] = core.requests_due(130.0)
    assert after.parcels == [successor]
    assert younger.response


def test_the_next_record_of_a_key_does_not_wait_for_a_withdrawn_request(make_core):
    core = make_core(ordered=True)
    sent_together(core, (0.0, "a"), (50.0, "b"), steps=["prepare"])
    successor = put(core, b"next", 60.0, "a")
    core.flush()
    [after] = core.requests_due(120.0)
    assert after.parcels == [successor]


def test_a_record_that_waits_for_its_predecessor_keeps_its_own_deadline(make_core):
    core = make_core(ordered=True)
    (older, younger), request = sent_together(core, (0.0, "a"), (50.0, "b"))
    successor = put(core, b"next", 51.0, "a")
    last = put(core, b"last", 130.0, "a")
    core.flush()
    core.requests_due(120.0)
    assert core.take_settled() == [older]
    assert core.next_wakeup(120.0) == 171.0  # also the end of the grace: younger + 120 + 1
    [after] = core.requests_due(171.0)
    assert set(core.take_settled()) == {younger, successor}
    assert successor.error.attempts == 0
    assert after.parcels == [last]
    assert core.stats(171.0).in_flight == 1
    core.on_failure(request, failure(FailureKind.AMBIGUOUS), 172.0)
    core.on_responses(after, Service(even_shards(1)).respond(after), 172.0)
    assert (core.stats(172.0).acked, core.stats(172.0).failed, core.budget.free_bytes) == (1, 3, core.budget.limit)


def test_several_successors_expire_one_by_one_while_they_wait(make_core):
    core = make_core(ordered=True)
    (older, _), _ = sent_together(core, (0.0, "a"), (50.0, "b"))
    successors = [put(core, b"next", now, "a") for now in (10.0, 20.0)]
    core.requests_due(120.0)
    assert core.take_settled() == [older]
    for successor, deadline in zip(successors, (130.0, 140.0), strict=True):
        assert core.next_wakeup(deadline - 1.0) == deadline
        core.requests_due(deadline)
        assert core.take_settled() == [successor]
    assert core.stats(140.0).buffered == 0


def test_closing_releases_the_keys_of_expired_records(make_core):
    core = make_core(ordered=True)
    sent_together(core, (0.0, "a"), (50.0, "b"))
    put(core, b"next", 60.0, "a")
    core.requests_due(120.0)
    core.abort()
    assert len(core.take_settled()) == 3
    assert core.budget.free_bytes == core.budget.limit


# --- Closing --------------------------------------------------------------------------------------


def test_closing_withdraws_a_request_of_which_nothing_was_sent(make_core):
    core = make_core()
    (record,), _ = sent_together(core, (0.0, "a"), steps=["prepare"])
    core.abort()
    assert str(record.error) == "the producer was closed before attempt 1 at this record was sent"
    assert not record.error.may_be_stored


# --- Causes ---------------------------------------------------------------------------------------


def test_a_timeout_carries_the_last_cause_and_its_attempts_by_kind(make_core):
    core = make_core()
    record = put(core, b"a", 0.0)
    now = 0.0
    for kind, code in (
        (FailureKind.NOT_SENT, "ConnectionRefusedError"),
        (FailureKind.AMBIGUOUS, "InternalFailure"),
        (FailureKind.NOT_SENT, "ConnectionRefusedError"),
    ):
        now, request = next_request(core, now)
        core.on_failure(request, failure(kind, code, "no luck"), now)
    now, request = next_request(core, now)
    core.on_responses(request, [throttled()], now)
    core.requests_due(120.0)  # the next attempt, which is late
    core.requests_due(240.0)
    error = record.error
    assert error.attempts_by_kind == {"not sent": 2, "ambiguous": 1, "throttled": 1}
    assert error.attempts == 4
    assert isinstance(error.__cause__, ServiceError)
    assert error.__cause__.code == "ProvisionedThroughputExceededException"
    assert "in 4 attempts; the last failure was ProvisionedThroughputExceededException: Rate exceeded" in str(error)


def test_a_record_that_was_never_sent_names_the_failure_that_held_it_up(make_core):
    """In an outage most records wait while a few are tried."""
    core = make_core(max_in_flight=1)
    put(core, b"a", 0.0)
    _, request = next_request(core, 0.0)
    record = put(core, b"b", 1.0)
    core.on_failure(request, failure(FailureKind.NOT_SENT, "ConnectionRefusedError", "no route"), 100.0)
    core.requests_due(125.0)
    core.requests_due(125.0)
    assert record in core.take_settled()
    assert record.error.attempts_by_kind == {}
    assert str(record.error.__cause__).startswith("ConnectionRefusedError: no route. Check endpoint_url=")


def test_a_record_that_waited_while_others_were_stored_names_no_failure(make_core):
    core = make_core()
    put(core, b"a", 0.0)
    _, request = next_request(core, 0.0)
    core.on_failure(request, failure(FailureKind.NOT_SENT), 1.0)
    now, request = next_request(core, 1.0)
    core.on_responses(request, Service(even_shards(1)).respond(request), now)
    record = put(core, b"b", 2.0)
    core.requests_due(200.0)
    assert (record.error.__cause__, record.error.attempts_by_kind) == (None, {})


def test_records_that_fail_together_share_their_history(make_core):
    """Otherwise an outage would cost a dict for each buffered record."""
    core = make_core()
    records = [put(core, b"x", 0.0) for _ in range(100)]
    now = 0.0
    for _ in range(3):
        now, request = next_request(core, now)
        core.on_failure(request, failure(FailureKind.NOT_SENT), now)
    assert len({id(record.failures) for record in records}) == 1


# --- A permanent failure --------------------------------------------------------------------------


def test_a_permanent_failure_is_not_paced(make_core):
    """Nothing reached the shard, so the next records need not wait for its quota."""
    core = make_core()
    records = [put(core, b"x", 0.0) for _ in range(5_000)]
    now = 0.0
    for _ in range(10):
        [request] = core.requests_due(now)
        now += 0.01
        core.on_failure(request, failure(FailureKind.PERMANENT, "AccessDeniedException"), now)
    settled = []
    while core.has_settled:
        settled += core.take_settled()
    assert settled == records


# --- Records with too little time left ------------------------------------------------------------


def test_a_record_is_not_sent_when_its_response_would_come_too_late(make_core):
    """Responses take 3 s here, so 6 s must be left."""
    core = make_core()
    put(core, b"a", 0.0)
    now, request = next_request(core, 0.0)
    core.on_responses(request, Service(even_shards(1)).respond(request), now + 3.0)
    core.take_settled()
    late, in_time = put(core, b"b", 10.0), put(core, b"c", 12.0)
    [request] = core.requests_due(125.0)
    assert request.parcels == [in_time]
    assert core.take_settled() == [late]
    assert late.error.attempts == 0


def test_a_late_record_fails_when_it_is_too_late_and_not_before(make_core):
    core = make_core()
    put(core, b"a", 0.0)
    now, request = next_request(core, 0.0)
    core.on_responses(request, Service(even_shards(1)).respond(request), now + 3.0)
    record = put(core, b"b", 10.0)
    now, request = next_request(core, 10.0)
    core.on_responses(request, [throttled()], now + 0.001)
    core.take_settled()
    times = []
    while not record.settled:
        now = core.next_wakeup(now)
        for request in core.requests_due(now):
            core.on_responses(request, [throttled()], now + 0.001)
            now += 0.001
        times.append(now)
    assert 124.0 < times[-1] <= 130.0
    assert "ProvisionedThroughputExceededException" in str(record.error)
    assert len(times) < 200
