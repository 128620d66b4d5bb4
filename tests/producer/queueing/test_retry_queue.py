"""Parcels that back off: when each may go, and how the budget of retries holds some of them."""

import math

import pytest

from tests.producer.support import put
from truckstream.producer.pacing.retry_budget import FREE_PER_SECOND, MOST_SAVED
from truckstream.producer.queueing.retry_queue import RetryQueue


@pytest.fixture
def retries():
    return RetryQueue()


@pytest.fixture
def parcels(make_core):
    core = make_core(shards=1)
    return [put(core, b"%d" % number, 0.0) for number in range(10)]


def due(retries, now):
    return [parcel for _, parcels in retries.take_due(now) for parcel in parcels]


def test_parcels_go_when_their_backoff_ends_the_earliest_first(retries, parcels):
    outbox = parcels[0].outbox
    assert retries.next_at == math.inf
    retries.add(3.0, outbox, parcels[:2])
    retries.add(1.0, outbox, parcels[2:3])
    retries.add(2.0, outbox, parcels[3:5])
    assert outbox.backing_off == 5
    assert retries.next_at == 1.0
    assert due(retries, 0.9) == []
    assert due(retries, 2.0) == [parcels[2], *parcels[3:5]]
    assert outbox.backing_off == 2
    assert retries.next_at == 3.0


def test_each_group_comes_with_its_outbox(retries, make_core):
    core = make_core(shards=2)
    records = [put(core, b"x", 0.0, explicit_hash_key=key) for key in ("0", str(2**128 - 1))]
    for record in records:
        retries.add(1.0, record.outbox, [record])
    assert list(retries.take_due(1.0)) == [(record.outbox, [record]) for record in records]


def test_parcels_that_the_budget_limits_wait_for_it(retries, parcels):
    retries.budget.spend(int(MOST_SAVED) + 100, 1.0)
    retries.add(1.0, parcels[0].outbox, parcels[:2], budgeted_until=50.0)
    retries.add(1.0, parcels[0].outbox, parcels[2:3])
    opens_at = 1.0 + 100 / FREE_PER_SECOND
    assert due(retries, 1.0) == parcels[2:3], "the budget does not limit it"
    assert retries.next_at == opens_at
    assert due(retries, opens_at - 0.01) == []
    assert due(retries, opens_at) == parcels[:2]


def test_parcels_that_go_again_cost_budget(retries, parcels):
    retries.budget.spend(int(MOST_SAVED) - 1, 1.0)
    retries.add(1.0, parcels[0].outbox, parcels[:5], budgeted_until=50.0)
    retries.add(1.0, parcels[0].outbox, parcels[5:6], budgeted_until=50.0)
    assert due(retries, 1.0) == parcels[:5], "the last ones may overdraw it"
    assert retries.next_at == 1.0 + 4 / FREE_PER_SECOND


def test_the_budget_holds_no_parcel_past_its_deadline(retries, parcels):
    outbox = parcels[0].outbox
    retries.budget.spend(10 * int(MOST_SAVED), 0.0)
    retries.add(1.0, outbox, parcels[:2], budgeted_until=7.0)
    retries.add(1.0, outbox, parcels[2:3], budgeted_until=5.0)
    assert retries.next_at == 5.0
    assert due(retries, 5.0) == parcels[2:3]
    assert retries.next_at == 7.0
    assert due(retries, 7.0) == parcels[:2]
    assert outbox.backing_off == 0
    assert retries.next_at == math.inf


def test_parcels_that_went_in_time_do_not_come_again_at_their_deadline(retries, parcels):
    retries.add(1.0, parcels[0].outbox, parcels, budgeted_until=5.0)
    assert due(retries, 1.0) == parcels
    assert retries.next_at == math.inf
    assert due(retries, 100.0) == []


def test_all_parcels_can_be_taken_at_once(retries, parcels):
    outbox = parcels[0].outbox
    retries.add(1.0, outbox, parcels[:2], budgeted_until=5.0)
    retries.add(9.0, outbox, parcels[2:])
    assert {id(parcel) for _, group in retries.take_all() for parcel in group} == set(map(id, parcels))
    assert outbox.backing_off == 0
    assert retries.next_at == math.inf
