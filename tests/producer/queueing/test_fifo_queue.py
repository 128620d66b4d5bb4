"""The queue of a shard without ordered keys: first in, first out, by number and by bytes."""

import pytest

from tests.producer.queueing.support import record, times
from truckstream.producer.queueing.fifo_queue import FifoQueue


@pytest.fixture
def queue():
    """Five records of 10 to 50 bytes, put at the times 1 to 5."""
    made = FifoQueue()
    for put_at in range(1, 6):
        made.append(record(put_at, size=10 * put_at))
    return made


def left_in(queue):
    """Empty the queue. Its count and bytes must have been right."""
    count, size = queue.count, queue.bytes
    records = queue.take(1_000, 1e9)
    assert (count, size) == (len(records), sum(each.size for each in records))
    assert (queue.count, queue.bytes, queue.waiting) == (0, 0, 0)
    return times(records)


@pytest.mark.parametrize(
    ("max_records", "max_bytes", "taken"),
    [
        (5, 150, [1, 2, 3, 4, 5]),  # exactly both limits
        (2, 1_000, [1, 2]),
        (9, 149, [1, 2, 3, 4]),
        (9, 60, [1, 2, 3]),
        (9, 59, [1, 2]),
        (1, 59, [1]),
        (9, 9, []),
    ],
)
def test_the_oldest_records_within_both_limits_are_taken(queue, max_records, max_bytes, taken):
    """A request with one byte or record too many is rejected whole by the service."""
    assert times(queue.take(max_records, max_bytes)) == taken
    assert queue.waiting == 5 - len(taken)
    assert left_in(queue) == [each for each in (1, 2, 3, 4, 5) if each not in taken]


def test_records_for_a_bundle_are_taken_while_they_fit(queue):
    assert times(queue.take_while(lambda each: each.size <= 30, 9)) == [1, 2, 3]
    assert times(queue.take_while(lambda _: True, 1)) == [4]
    assert times(queue.take_while(lambda _: False, 9)) == []
    assert left_in(queue) == [5]
    assert queue.take_while(lambda _: True, 9) == []


def test_one_record_is_taken_at_either_end(queue):
    assert queue.head().put_at == queue.pop().put_at == 1
    assert queue.youngest().put_at == queue.pop_youngest().put_at == 5
    assert left_in(queue) == [2, 3, 4]


def test_records_come_back_to_the_front(queue):
    queue.put_back(queue.take(3, 1e9))
    assert left_in(queue) == [1, 2, 3, 4, 5]


def test_records_that_come_back_one_after_the_other_are_sorted_by_age(queue):
    """Otherwise an old record waits behind younger ones, perhaps until its deadline."""
    first, second, third = queue.take(3, 1e9)
    queue.put_back([second])
    queue.put_back([first, third])
    assert left_in(queue) == [1, 2, 3, 4, 5]


def test_of_records_with_the_same_age_those_that_were_taken_go_first(queue):
    """They were put before those that stayed, in the same turn of the loop."""
    queue.append(again := record(5, size=50))
    *_, taken = queue.take(5, 1e9)
    queue.put_back([taken])
    assert queue.pop() is taken
    assert queue.pop() is again
