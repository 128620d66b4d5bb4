"""The state machine of a subscription, against a model shard whose subscriptions end and fail."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.consumer.reading.support import SHARD
from tests.consumer.support import record
from truckstream.consumer.leases.lease import LATEST, TRIM_HORIZON, Checkpoint
from truckstream.consumer.reading.actions import Ended, Fatal, Receive, Subscribe, Wait
from truckstream.consumer.reading.prefetch_budget import PrefetchBudget
from truckstream.consumer.reading.subscription_reader import EVENT_BYTES, SubscriptionReader
from truckstream.consumer.reading.user_records import UserRecords
from truckstream.kinesis.failures import FailureKind
from truckstream.kinesis.reading.position import Position
from truckstream.kinesis.reading.shard_record import ChildShard, RecordsPage

EPOCH = 1_700_000_000.0
CHILD = ChildShard(shard_id="shardId-1", parent_ids=(SHARD,), starting_hash_key=0, ending_hash_key=2**128 - 1)


def reader(start=TRIM_HORIZON, budget=None):
    budget = budget or PrefetchBudget()
    budget.add(SHARD)
    checkpoint = Checkpoint(start)
    return SubscriptionReader(
        SHARD, checkpoint, UserRecords(SHARD, None, checkpoint), budget, Random(1), 0.0, epoch=EPOCH
    )


def event(numbers, *, continuation="", children=()):
    records = [record(number) for number in numbers]
    following = continuation or (records[-1].sequence_number if records else "0")
    return RecordsPage(records=records, continuation=None if children else following, children=children, size=100)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", "ended", "failed", "refused"])), max_size=30))
def test_whatever_happens_to_subscriptions_each_record_comes_once_and_in_order(steps):
    under_test, delivered, now, place = reader(), [], 0.0, 1

    def go_on():
        """Do what the reader asks for, until it waits for an event."""
        nonlocal now, place
        while not isinstance(action := under_test.next_action(now), Receive):
            if isinstance(action, Wait):
                now = action.until
            else:
                assert isinstance(action, Subscribe)
                assert action.position in {
                    Position("TRIM_HORIZON"),
                    Position("AFTER_SEQUENCE_NUMBER", str(place - 1)),
                }
                under_test.subscribed(now)

    for count, then in steps:
        go_on()
        page = event(range(place, place + count), continuation=str(place + count - 1))
        place += count
        delivered += [int(each.sequence_number) for each in under_test.got_event(page).records]
        if then == "ended":
            under_test.ended(now)
        elif then == "failed":
            under_test.failed("InternalFailureException", FailureKind.AMBIGUOUS, now)
        elif then == "refused":
            under_test.failed("ResourceInUseException", FailureKind.THROTTLED, now)
    assert delivered == list(range(1, place))


def test_the_end_of_a_closed_shard_names_its_children():
    under_test = reader()
    under_test.next_action(0.0)
    under_test.subscribed(0.0)
    assert len(under_test.got_event(event([1, 2], children=(CHILD,))).records) == 2
    assert under_test.next_action(0.0) == Ended((CHILD,))


def test_latest_goes_on_at_the_time_of_its_first_subscription():
    under_test = reader(LATEST)
    assert under_test.next_action(5.0) == Subscribe(Position("LATEST"))
    under_test.subscribed(5.0)
    under_test.failed("InternalFailureException", FailureKind.AMBIGUOUS, 9.0)
    assert under_test.next_action(20.0) == Subscribe(Position("AT_TIMESTAMP", timestamp=EPOCH + 4.0))


def test_no_event_is_asked_for_while_the_budget_is_used_up():
    budget = PrefetchBudget(4 * 1024 * 1024)
    under_test = reader(budget=budget)
    under_test.next_action(0.0)
    under_test.subscribed(0.0)
    assert isinstance(under_test.next_action(0.0), Receive)
    page = event([1])
    page.size = 5 * 1024 * 1024
    batch = under_test.got_event(page)
    assert under_test.next_action(0.0) == Wait(math.inf)
    budget.release(SHARD, batch.size)
    assert budget.take_granted() == [SHARD]
    assert isinstance(under_test.next_action(0.0), Receive)
    assert budget.used == EVENT_BYTES  # there may be a backlog, and the next event may be a large one
    batch = under_test.got_event(event([2]))
    assert isinstance(under_test.next_action(0.0), Receive)
    assert budget.used == batch.size  # at the tip it waits without a reservation


@pytest.mark.parametrize("end", ["ended", "failed"])
def test_the_end_of_a_subscription_frees_its_reservation(end):
    budget = PrefetchBudget()
    under_test = reader(budget=budget)
    under_test.next_action(0.0)
    under_test.subscribed(0.0)
    under_test.next_action(0.0)
    assert budget.used == EVENT_BYTES
    if end == "ended":
        under_test.ended(300.0)
    else:
        under_test.failed("InternalFailureException", FailureKind.AMBIGUOUS, 300.0)
    assert budget.used == 0


@pytest.mark.parametrize(
    ("code", "kind", "end"),
    [
        ("AccessDeniedException", FailureKind.PERMANENT, Fatal("AccessDeniedException")),
        ("ResourceNotFoundException", FailureKind.PERMANENT, Ended((), is_gone=True)),
    ],
)
def test_failures_that_do_not_pass_end_the_reading(code, kind, end):
    under_test = reader()
    under_test.next_action(0.0)
    under_test.failed(code, kind, 0.0)
    assert under_test.next_action(100.0) == end


def test_pauses_grow_with_failures_in_a_row_and_end_with_an_event():
    under_test = reader()
    now, pauses = 0.0, []
    for _ in range(40):
        under_test.next_action(now)
        under_test.failed("InternalFailureException", FailureKind.AMBIGUOUS, now)
        action = under_test.next_action(now)
        until = action.until if isinstance(action, Wait) else now
        pauses.append(until - now)
        now = until
    assert max(pauses[:3]) < 0.5
    assert 2.0 < max(pauses) <= 5.0


def test_subscriptions_that_end_without_an_event_are_made_at_growing_intervals():
    under_test, now = reader(), 0.0
    for _ in range(100):
        while isinstance(action := under_test.next_action(now), Wait):
            now = action.until
        under_test.subscribed(now)
        under_test.ended(now)
    assert now > 60.0
