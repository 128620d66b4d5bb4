"""An outbox sends in order, waits longer after each failure, and drops its oldest events when it is full."""

from random import Random

import pytest

from tests.alerts.support import alert
from truckstream.alerts.shard.outbox import LONGEST_WAIT, EventOutbox


def outbox(count, *, batch=2, capacity=5):
    box = EventOutbox(batch, capacity, Random(1))
    box.add(map(alert, range(count)))
    return box


def numbers(events):
    return [int(each.id, 16) for each in events]


def test_events_are_taken_in_order_and_stay_until_they_are_accepted():
    box = outbox(3)
    taken = box.take(0.0)
    assert numbers(taken) == [0, 1]
    assert len(box) == 3
    box.settle(taken, (), 0.0)
    assert numbers(box.take(0.0)) == [2]


def test_nothing_is_due_in_an_empty_outbox():
    box = outbox(1)
    assert box.due_time == 0.0
    box.settle(box.take(0.0), (), 0.0)
    assert box.due_time is None
    assert box.take(0.0) == []


def test_after_a_failure_nothing_is_taken_before_the_wait_is_over():
    box = outbox(1)
    box.settle(taken := box.take(10.0), taken, 10.0)
    assert 10.25 <= box.due_time <= 10.5
    assert box.take(box.due_time - 0.001) == []
    assert numbers(box.take(box.due_time)) == [0]


def test_waits_grow_to_a_minute_and_begin_anew_after_a_success():
    box, now, waits = outbox(2, batch=1), 0.0, []
    for _ in range(12):
        box.settle(taken := box.take(now), taken, now)
        waits.append(box.due_time - now)
        now = box.due_time
    assert [wait > 2**index / 4 for index, wait in enumerate(waits[:7])] == [True] * 7
    assert LONGEST_WAIT / 2 <= waits[-1] <= LONGEST_WAIT
    box.settle(box.take(now), (), now)
    box.settle(taken := box.take(now), taken, now)
    assert box.due_time - now <= 0.5


def test_only_the_events_that_failed_are_sent_again():
    box = outbox(2)
    taken = box.take(0.0)
    box.settle(taken, [taken[1]], 0.0)
    assert numbers(box.events) == [1]


def test_beginning_and_end_of_one_incident_are_two_events():
    box = EventOutbox(10, 10, Random(1))
    box.add([alert(1), alert(1, "ended")])
    taken = box.take(0.0)
    box.settle(taken, [taken[1]], 0.0)
    assert [each.state for each in box.events] == ["ended"]


def test_a_full_outbox_drops_its_oldest_events_and_counts_them():
    box = outbox(4)
    assert box.add(map(alert, range(4, 8))) == 3
    assert numbers(box.events) == [3, 4, 5, 6, 7]


def test_events_that_are_dropped_while_they_are_sent_are_settled_all_the_same():
    box = outbox(5)
    taken = box.take(0.0)
    box.add([alert(9)])
    box.settle(taken, (), 0.0)
    assert numbers(box.events) == [2, 3, 4, 9]


@pytest.mark.parametrize("capacity", [1, 2, 1000])
def test_an_outbox_never_holds_more_than_its_capacity(capacity):
    box = outbox(0, capacity=capacity)
    for number in range(2000):
        box.add([alert(number)])
        assert len(box) <= capacity
