"""The queue that keeps the order of each key: lanes that close while a record is in flight."""

import math

import pytest

from tests.producer.queueing.support import record, times
from truckstream.producer.queueing.keyed_queue import KeyedQueue, lane_key


@pytest.fixture
def lanes():
    return {}


def queue_with(lanes, *records, bundled=False):
    queue = KeyedQueue(lanes, bundled=bundled)
    for each in records:
        queue.append(each)
    return queue


def take_all(queue):
    return queue.take(1_000, math.inf)


def sizes(queue):
    """Records that may be taken, their bytes, and the records that wait."""
    return queue.count, queue.bytes, queue.waiting


def test_only_the_oldest_record_of_each_key_may_be_taken(lanes):
    queue = queue_with(lanes, record(1, "a", size=10), record(2, "b", size=20), record(3, "a", size=40))
    assert sizes(queue) == (2, 30, 3)
    assert times(take_all(queue)) == [1, 2]
    assert sizes(queue) == (0, 0, 1)


def test_the_next_record_of_a_key_may_go_after_the_outcome_of_the_one_before(lanes):
    first, other, second = record(1, "a", size=10), record(2, "b", size=20), record(3, "a", size=40)
    queue = queue_with(lanes, first, second, other)
    assert queue.pop() is first
    assert sizes(queue) == (1, 20, 2)
    queue.on_outcome(first)
    assert sizes(queue) == (2, 60, 2)
    assert times(take_all(queue)) == [2, 3], "the oldest first, whatever its key"


def test_a_record_that_is_put_while_its_key_is_in_flight_waits(lanes):
    queue = queue_with(lanes, first := record(1, "a"))
    queue.pop()
    queue.append(record(2, "a", size=7))
    assert sizes(queue) == (0, 0, 1)
    queue.on_outcome(first)
    assert sizes(queue) == (1, 7, 1)


def test_records_that_fail_together_come_back_before_the_others_of_their_keys(lanes):
    queue = queue_with(lanes, record(1, "a", size=10), record(2, "b", size=20), record(3, "a", size=40))
    queue.put_back(take_all(queue))
    assert sizes(queue) == (2, 30, 3)
    assert times(take_all(queue)) == [1, 2]


def test_a_key_is_forgotten_with_its_last_record(lanes):
    """Otherwise a stream with a new key for each record would fill the memory."""
    first, second = record(1, "a"), record(2, "a")
    queue = queue_with(lanes, first, second)
    for each in (first, second):
        assert queue.pop() is each
        assert set(lanes) == {"a"}
        queue.on_outcome(each)
    assert lanes == {}


def test_records_are_taken_within_both_limits(lanes):
    queue = queue_with(lanes, *(record(n, f"key {n}", size=10) for n in range(1, 6)))
    assert times(queue.take(2, 1e9)) == [1, 2]
    assert times(queue.take(9, 20)) == [3, 4]
    assert times(queue.take(9, 9)) == []
    assert sizes(queue) == (1, 10, 1)


def test_a_partition_key_with_two_explicit_hash_keys_has_two_orders(lanes):
    """They may go to two shards, between which there is no order."""
    left, right = record(1, "a", hash_key="0"), record(2, "a", hash_key="9")
    assert len({lane_key(record(0, "a")), lane_key(left), lane_key(right)}) == 3
    assert times(take_all(queue_with(lanes, left, right))) == [1, 2]


# --- In bundles ---------------------------------------------------------------------------------


def test_a_bundle_may_take_several_records_of_one_key(lanes):
    queue = queue_with(lanes, *(record(n, "a" if n % 2 else "b", size=n) for n in range(1, 6)), bundled=True)
    assert sizes(queue) == (5, 15, 5)
    assert times(queue.take_while(lambda _: True, 4)) == [1, 3, 5, 2], "one key after the other"
    assert sizes(queue) == (0, 0, 1), "the fourth waits for the outcome of the second"


def test_a_key_opens_after_the_outcome_of_all_its_records(lanes):
    first, second, third = (record(n, "a", size=n) for n in (1, 2, 3))
    queue = queue_with(lanes, first, second, third, bundled=True)
    queue.take_while(lambda _: True, 2)
    queue.on_outcome(first)
    assert sizes(queue) == (0, 0, 1)
    queue.on_outcome(second)
    assert sizes(queue) == (1, 3, 1)


def test_a_record_that_does_not_fit_keeps_its_place_in_the_order_of_its_key(lanes):
    queue = queue_with(lanes, record(1, "a", size=5), record(2, "a", size=50), record(3, "b", size=5), bundled=True)
    assert times(queue.take_while(lambda each: each.size < 10, 9)) == [1, 3]
    assert sizes(queue) == (0, 0, 1)


def test_a_bundle_ends_before_a_key_whose_oldest_record_does_not_fit(lanes):
    queue = queue_with(lanes, record(1, "a", size=5), record(2, "b", size=50), record(3, "c", size=5), bundled=True)
    assert times(queue.take_while(lambda each: each.size < 10, 9)) == [1]
    assert times(queue.take_while(lambda _: True, 9)) == [2, 3]


def test_the_records_of_a_bundle_come_back_in_their_order(lanes):
    queue = queue_with(lanes, *(record(n, "a", size=n) for n in (1, 2, 3)), bundled=True)
    queue.put_back(queue.take_while(lambda _: True, 2))
    assert sizes(queue) == (3, 6, 3)
    assert times(queue.take_while(lambda _: True, 9)) == [1, 2, 3]


# --- Deadlines of records that wait for another one -------------------------------------------------


def test_records_that_wait_for_another_ones_outcome_keep_their_deadlines(lanes):
    first, second, third = (record(n, "a", size=n) for n in (1, 2, 3))
    queue = queue_with(lanes, first, second, third)
    queue.pop()
    assert queue.deadline_behind(first, 10.0) == 12.0
    assert queue.take_expired_behind(first, 10.0, 11.9) == []
    assert queue.take_expired_behind(first, 10.0, 12.0) == [second]
    assert queue.deadline_behind(first, 10.0) == 13.0
    assert queue.waiting == 1
    assert queue.take_expired_behind(first, 10.0, 99.0) == [third]
    assert queue.deadline_behind(first, 10.0) == math.inf
    for each in (first, second, third):
        assert lanes
        queue.on_outcome(each)
    assert lanes == {}


# --- A reshard ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bundled", [False, True])
def test_a_key_moves_to_the_queue_of_its_new_shard(lanes, bundled):
    old = queue_with(lanes, *(record(n, "a", size=10) for n in (1, 2)), record(3, "b"), bundled=bundled)
    new = queue_with(lanes, record(4, "c"), bundled=bundled)
    new.adopt(lanes["a"])
    assert sizes(old) == (1, 1, 1)
    assert sizes(new) == ((3, 21, 3) if bundled else (2, 11, 3))
    assert times(new.take_while(lambda _: True, 9) if bundled else take_all(new)) == ([1, 2, 4] if bundled else [1, 4])
    assert times(take_all(old)) == [3]


def test_a_key_in_flight_moves_closed(lanes):
    """The record in flight may still be stored by the old shard, and its successor must not overtake it."""
    old = queue_with(lanes, first := record(1, "a"), record(2, "a", size=7))
    old.pop()
    new = queue_with(lanes)
    new.adopt(lanes["a"])
    assert (sizes(old), sizes(new)) == ((0, 0, 0), (0, 0, 1))
    old.on_outcome(first)
    assert (sizes(old), sizes(new)) == ((0, 0, 0), (1, 7, 1))


def test_a_record_that_fails_after_its_key_has_moved_comes_back_to_the_new_queue(lanes):
    old = queue_with(lanes, first := record(1, "a", size=3), record(2, "a", size=7))
    old.pop()
    new = queue_with(lanes)
    new.adopt(lanes["a"])
    old.put_back([first])
    assert (sizes(old), sizes(new)) == ((0, 0, 0), (1, 3, 2))
    assert new.pop() is first


def test_a_record_joins_its_key_wherever_that_is(lanes):
    old = queue_with(lanes, record(1, "a"))
    new = queue_with(lanes, record(2, "a"))
    assert (old.waiting, new.waiting) == (2, 0)


def test_a_key_that_moves_there_and_back_has_one_place(lanes):
    """A place that it left must not count as one that it has now."""
    queue = queue_with(lanes, first := record(2, "a"), record(3, "b"))
    queue_with(lanes).adopt(lanes["a"])
    queue.adopt(lanes["a"])
    assert queue.pop() is first
    queue.on_outcome(first)
    queue.append(record(9, "a"))
    assert times(take_all(queue)) == [3, 9]
