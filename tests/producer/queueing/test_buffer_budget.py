"""The budget of bytes that a producer keeps."""

import pytest

from truckstream.producer.queueing.buffer_budget import (
    RECORD_OVERHEAD_BYTES,
    BufferBudget,
    cost_of,
    largest_size,
    overhead_of,
)


def test_a_record_is_charged_until_the_budget_is_exactly_full():
    budget = BufferBudget(100, ())
    assert budget.reserve(60)
    assert not budget.reserve(41)
    assert (budget.used_bytes, budget.free_bytes) == (60, 40), "a record that does not fit is not charged"
    assert budget.reserve(40)
    assert budget.free_bytes == 0
    budget.release(60)
    assert (budget.used_bytes, budget.free_bytes) == (40, 60)


def test_keys_whose_order_is_kept_take_room_too():
    """A key takes 1,000 bytes. With a key for each record that is most of the memory."""
    lanes = {}
    budget = BufferBudget(2_100, lanes)
    assert budget.reserve(100)
    lanes |= {"a": 1, "b": 2}
    assert budget.free_bytes == 0
    assert not budget.reserve(1)
    del lanes["a"]
    assert budget.reserve(1_000)
    assert not budget.reserve(1)
    lanes |= {"a": 1}
    assert budget.free_bytes == -1_000


@pytest.mark.parametrize("overhead", [RECORD_OVERHEAD_BYTES, 2_000])
def test_the_largest_record_fits_exactly(overhead):
    """The error for a record that never fits names this size: a record of it must be accepted."""
    assert cost_of(largest_size(10_000, overhead), overhead) == 10_000
    assert largest_size(overhead, overhead) == 0
    assert largest_size(overhead - 1, overhead) == 0


def test_by_default_a_record_has_the_usual_overhead():
    assert cost_of(498) == 498 + RECORD_OVERHEAD_BYTES
    assert largest_size(10_000) == 10_000 - RECORD_OVERHEAD_BYTES


def test_a_long_key_has_the_overhead_of_its_two_copies():
    assert overhead_of(10, 150) == RECORD_OVERHEAD_BYTES
    assert overhead_of(200, 440) == RECORD_OVERHEAD_BYTES
    assert overhead_of(200, 441) == RECORD_OVERHEAD_BYTES + 1
    assert overhead_of(256, 1_256) == 260 + 1_000
