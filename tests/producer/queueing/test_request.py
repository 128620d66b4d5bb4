"""The counts and the deadlines of one request. `delivery_timeout` is 100 s."""

import math

import pytest

from tests.producer.routing.support import LEFT, RIGHT, make_record, make_router
from tests.producer.support import even_shards
from truckstream.producer.queueing.bundle import Bundle
from truckstream.producer.queueing.outbox import Failure
from truckstream.producer.queueing.request import Request


@pytest.fixture
def router():
    router = make_router(aggregate=True)
    router.set_shards(even_shards(2), 0.0)
    return router


@pytest.fixture
def outboxes(router):
    return [router.route("TRUCK_001", hash_key).outbox for hash_key in (LEFT, RIGHT)]


def records_at(router, *times, hash_key=LEFT):
    return [make_record(router, at, hash_key=hash_key, queued=False) for at in times]


def bundle_of(router, *times, hash_key=LEFT):
    for at in times:
        make_record(router, at, hash_key=hash_key)
    return Bundle.pack(router.route("TRUCK_001", hash_key).outbox, 50_000, len(times))


def settled(records):
    """Give `records` their outcome, and return them."""
    for record in records:
        record.failure = Failure(ValueError)
    return records


def test_records_are_counted_for_each_shard(router, outboxes):
    left, right = outboxes
    parcels = records_at(router, 1.0, 2.0) + records_at(router, 3.0, hash_key=RIGHT)
    request = Request(parcels, 3.0, 100.0)
    assert request.records == 3
    assert request.records_by_outbox() == request.parcels_by_outbox() == {left: 2, right: 1}
    assert request.size == sum(parcel.size for parcel in parcels)
    assert repr(request) == "<Request of 3 records for 2 shards>"


def test_of_a_new_request_nothing_is_known_yet(router):
    """Its records may be stored until its client reports that they are not."""
    request = Request(records_at(router, 1.0), 3.0, 100.0)
    assert (request.sent_at, request.repeated, request.fills_limit, request.overdue) == (3.0, 0, False, [])
    assert request.attempt.may_have_arrived


def test_bundles_count_once_for_the_service_and_with_all_their_records_for_the_caller(router, outboxes):
    left, right = outboxes
    parcels = [bundle_of(router, 1.0, 2.0, 3.0), bundle_of(router, 4.0), bundle_of(router, 5.0, 6.0, hash_key=RIGHT)]
    request = Request(parcels, 6.0, 100.0)
    assert request.parcels_by_outbox() == {left: 2, right: 1}
    assert request.records_by_outbox() == {left: 4, right: 2}
    assert request.records == 6


def test_it_ends_with_the_deadline_of_its_youngest_record(router):
    request = Request(records_at(router, 7.0, 1.0, 9.0, 3.0), 9.0, 100.0)
    assert (request.deadline, request.expires_at, request.wakeup_at) == (109.0, 101.0, 101.0)


def test_the_youngest_record_may_be_inside_of_a_bundle(router):
    """A bundle has the age of its oldest record. Its youngest one must not be given up with that."""
    request = Request([bundle_of(router, 1.0, 9.0), bundle_of(router, 2.0, 3.0)], 9.0, 100.0)
    assert (request.deadline, request.expires_at) == (109.0, 101.0)


def test_records_of_one_age_expire_with_the_end_of_the_attempt(router):
    request = Request(records_at(router, 5.0, 5.0), 5.0, 100.0)
    assert (request.deadline, request.expires_at, request.wakeup_at) == (105.0, math.inf, 106.0)
    assert request.take_expired(105.0) == []


def test_records_past_their_deadline_are_counted_out_the_oldest_first(router, outboxes):
    left, right = outboxes
    first, second, third = records_at(router, 3.0, 1.0, 9.0)
    [other] = records_at(router, 2.0, hash_key=RIGHT)
    request = Request([first, second, third, other], 9.0, 100.0)
    assert not request.has_expired_records
    assert settled(request.take_expired(102.5)) == [second, other]
    assert request.has_expired_records
    assert request.records == 2
    assert request.records_by_outbox() == {left: 2}
    assert request.parcels_by_outbox() == {left: 3, right: 1}, "the service still gets them"
    assert request.expires_at == 103.0
    assert request.take_expired(103.0) == [first]
    assert request.expires_at == math.inf
    assert request.take_expired(1_000.0) == [], "the youngest gets its outcome from the end of the attempt"
    assert request.records == 1


def test_records_of_a_bundle_expire_one_by_one(router, outboxes):
    left, _ = outboxes
    bundle = bundle_of(router, 1.0, 2.0, 9.0)
    request = Request([bundle], 9.0, 100.0)
    assert settled(request.take_expired(101.0)) == bundle.members[:1]
    assert (request.records, request.records_by_outbox()) == (2, {left: 2})
    assert request.take_expired(102.0) == bundle.members[1:2]
