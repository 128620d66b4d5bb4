"""Which groups may be put now."""

from truckstream.batcher.grouping.edges import Edges
from truckstream.batcher.grouping.plan import Course, Cut


def test_a_first_delivery_walks_one_group_then_spreads_then_ends():
    course = Course(2_500, 700)
    assert course.due() == [Cut(0, 700)]
    assert course.due() == []
    course.stored(Cut(0, 700), 700, fresh=True)
    assert course.due() == [Cut(700, 1400), Cut(1400, 2100)]
    assert course.due() == []
    course.stored(Cut(1400, 2100), 2100, fresh=True)
    assert course.due() == []
    course.stored(Cut(700, 1400), 1400, fresh=True)
    assert course.due() == [Cut(2100, 2500)]
    course.stored(Cut(2100, 2500), 2500, fresh=True)
    assert course.due() == []


def test_a_redelivery_walks_until_something_is_new():
    """The second group was cut at 1,000 by an earlier delivery: the third begins there."""
    course = Course(3_000, 700)
    assert course.due() == [Cut(0, 700)]
    course.stored(Cut(0, 700), 700, fresh=False)
    assert course.due() == [Cut(700, 1400)]
    course.stored(Cut(700, 1400), 1000, fresh=False)
    assert course.due() == [Cut(1000, 1700)]
    course.stored(Cut(1000, 1700), 1700, fresh=True)
    assert course.due() == [Cut(1700, 2400)]


def test_an_object_longer_than_a_group_is_walked_over():
    course = Course(1_000, 100)
    course.due()
    course.stored(Cut(0, 100), 700, fresh=False)
    assert course.due() == [Cut(700, 800)]


def test_a_failure_stops_no_full_group_but_the_tail():
    course = Course(2_500, 700)
    course.due()
    course.stored(Cut(0, 700), 700, fresh=True)
    first, second = course.due()
    course.failed(first)
    course.stored(second, second.stop, fresh=True)
    assert course.due() == []


def test_a_failure_in_the_walk_stops_the_delivery():
    """Nobody knows whether an object lies there, and where it ends."""
    course = Course(2_500, 700)
    course.due()
    course.failed(Cut(0, 700))
    assert course.due() == []


def test_a_failure_where_nothing_lies_ends_the_walk():
    course = Course(2_500, 700)
    course.due()
    course.failed(Cut(0, 700), free=True)
    assert course.due() == [Cut(700, 1400), Cut(1400, 2100)]


def test_a_group_cut_short_by_another_call_is_filled():
    """Two calls at once with different ends: the other one's tail was quicker than our full group."""
    course = Course(2_100, 700)
    course.due()
    course.stored(Cut(0, 700), 700, fresh=True)
    assert course.due() == [Cut(700, 1400), Cut(1400, 2100)]
    course.stored(Cut(700, 1400), 1000, fresh=False)
    assert course.due() == [Cut(1000, 1400)]


def test_in_order_there_is_one_group_at_a_time():
    course = Course(450, 200, in_order=True)
    assert course.due() == [Cut(0, 200)]
    course.stored(Cut(0, 200), 200, fresh=True)
    assert course.due() == [Cut(200, 400)]
    course.failed(Cut(200, 400), free=True)
    assert course.due() == []


def test_a_group_takes_in_the_rest_of_the_aggregate_that_it_ends_in():
    course = Course(20, 5, edges=Edges([0, 1, 2, 8, 9, 14, 19, 20]))
    assert course.due() == [Cut(0, 8)]
    course.stored(Cut(0, 8), 8, fresh=True)
    assert course.due() == [Cut(8, 14), Cut(14, 19)]
    course.stored(Cut(8, 14), 14, fresh=True)
    course.stored(Cut(14, 19), 19, fresh=True)
    assert course.due() == [Cut(19, 20)]


def test_a_rest_that_is_one_aggregate_may_fill_a_group():
    course = Course(9, 5, edges=Edges([0, 2, 9]))
    assert course.due() == [Cut(0, 9)]
