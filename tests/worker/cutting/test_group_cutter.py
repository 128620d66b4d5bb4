"""A group ends when it is full, due, or before a long aggregate; never inside a short one."""

import pytest

from tests.batcher.support import number
from tests.worker.support import aggregated, many, stored
from truckstream.consumer.leases.lease import Checkpoint
from truckstream.worker.cutting.group_cutter import CutLimits, GroupCutter


def sizes(cutter):
    """Take all full groups, and return their numbers of records."""
    found = []
    while group := cutter.take_full():
        found.append(len(group.records))
    return found


@pytest.mark.parametrize(
    ("records", "expected", "rest"),
    [
        (many(3), [], 3),
        (many(4), [4], 0),
        (many(9), [4, 4], 1),
        ([*many(3), *aggregated(3, 4), *many(1, 4)], [7], 1),
        ([*many(3), *aggregated(3, 5), *many(1, 4)], [3, 4, 1], 1),
        ([*aggregated(0, 2), *aggregated(1, 2)], [4], 0),
        ([*aggregated(0, 2), *aggregated(1, 3)], [5], 0),
        # A stream that repeats numbers: records with one number are one place.
        ([*many(3), stored(3), stored(3), stored(4)], [5], 1),
    ],
)
def test_a_group_is_full_at_the_first_boundary_with_enough_records(records, expected, rest):
    cutter = GroupCutter(CutLimits(records=4))
    cutter.add(records, 0.0)
    assert sizes(cutter) == expected
    assert len(cutter) == rest


def test_a_group_is_full_at_the_first_boundary_with_enough_bytes():
    cutter = GroupCutter(CutLimits(records=100, bytes=10))
    cutter.add([stored(0, b"x" * 9), stored(1, b"x"), stored(2, b"x" * 30), stored(3, b"")], 0.0)
    assert sizes(cutter) == [2, 1]
    assert cutter.bytes == 0


def test_groups_do_not_depend_on_how_the_records_come():
    whole, single = GroupCutter(CutLimits(records=4)), GroupCutter(CutLimits(records=4))
    whole.add(many(13), 0.0)
    taken = []
    for n in range(13):
        single.add(many(1, n), 0.0)
        taken += sizes(single)
    assert taken == sizes(whole) == [4, 4, 4]


def test_the_first_record_decides_when_a_group_is_due():
    cutter = GroupCutter(CutLimits(records=4, wait=60.0))
    assert cutter.due_time is None
    cutter.add([], 5.0)
    assert cutter.due_time is None
    cutter.add(many(3), 10.0)
    cutter.add(many(3, 3), 20.0)
    assert cutter.due_time == 70.0
    cutter.take_full()
    assert cutter.due_time == 80.0  # the rest came at 20
    assert len(cutter.take_rest().records) == 2
    assert cutter.due_time is None
    assert cutter.take_rest() is None


def test_a_group_knows_its_bytes_and_its_end():
    cutter = GroupCutter(CutLimits(records=3))
    cutter.add([stored(0, b"abc"), *aggregated(1, 3)], 0.0)
    group = cutter.take_full()
    assert group.bytes == 3 + sum(len(each.data) for each in aggregated(1, 3))
    assert group.end == Checkpoint(number(1), 2)


@pytest.mark.parametrize(("count", "expected"), [(4, [7]), (5, [3, 4, 1]), (8, [3, 4, 4]), (13, [3, 4, 4, 4, 1])])
def test_an_aggregate_of_more_records_than_a_group_makes_groups_of_its_own(count, expected):
    """And so does the rest of one, which a successor may find after a checkpoint inside the aggregate."""
    cutter = GroupCutter(CutLimits(records=4, bytes=10**9))
    cutter.add([*many(3), *aggregated(3, count), *many(2, 4)], 0.0)
    assert sizes(cutter) == expected
    assert len(cutter) == 2


def test_an_aggregate_of_more_bytes_than_a_group_makes_groups_of_its_own():
    cutter = GroupCutter(CutLimits(records=100, bytes=10))
    cutter.add([stored(0, b"x"), *(stored(1, b"x" * 6, at) for at in range(5)), stored(2, b"")], 0.0)
    assert sizes(cutter) == [1, 2, 2, 1]
    assert len(cutter) == 1


def test_aggregates_that_share_a_number_are_not_divided():
    """A checkpoint could not tell their records apart."""
    cutter = GroupCutter(CutLimits(records=4))
    cutter.add([*aggregated(0, 5), *aggregated(0, 5), *many(1, 1)], 0.0)
    assert sizes(cutter) == [10]
    cutter = GroupCutter(CutLimits(records=4))
    cutter.add([*aggregated(0, 6)[1:], *aggregated(0, 5), *many(1, 1)], 0.0)
    assert sizes(cutter) == [10]


def test_records_that_repeat_a_number_are_not_divided():
    cutter = GroupCutter(CutLimits(records=4))
    cutter.add([stored(0)] * 9 + many(2, 1), 0.0)
    assert sizes(cutter) == [9]
