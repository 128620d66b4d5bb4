"""Which groups may be put now."""

from truckstream.batcher.grouping.boundaries import Boundaries
from truckstream.batcher.grouping.plan import Group, GroupPlan


def test_a_first_delivery_walks_one_group_then_spreads_then_ends():
    plan = GroupPlan(2_500, 700)
    assert plan.take_due() == [Group(0, 700)]
    assert plan.take_due() == []
    plan.stored(Group(0, 700), 700, is_new=True)
    assert plan.take_due() == [Group(700, 1400), Group(1400, 2100)]
    assert plan.take_due() == []
    plan.stored(Group(1400, 2100), 2100, is_new=True)
    assert plan.take_due() == []
    plan.stored(Group(700, 1400), 1400, is_new=True)
    assert plan.take_due() == [Group(2100, 2500)]
    plan.stored(Group(2100, 2500), 2500, is_new=True)
    assert plan.take_due() == []


def test_a_redelivery_walks_until_something_is_new():
    """The second group was cut at 1,000 by an earlier delivery: the third begins there."""
    plan = GroupPlan(3_000, 700)
    assert plan.take_due() == [Group(0, 700)]
    plan.stored(Group(0, 700), 700, is_new=False)
    assert plan.take_due() == [Group(700, 1400)]
    plan.stored(Group(700, 1400), 1000, is_new=False)
    assert plan.take_due() == [Group(1000, 1700)]
    plan.stored(Group(1000, 1700), 1700, is_new=True)
    assert plan.take_due() == [Group(1700, 2400)]


def test_an_object_longer_than_a_group_is_walked_over():
    plan = GroupPlan(1_000, 100)
    plan.take_due()
    plan.stored(Group(0, 100), 700, is_new=False)
    assert plan.take_due() == [Group(700, 800)]


def test_a_failure_stops_no_full_group_but_the_tail():
    plan = GroupPlan(2_500, 700)
    plan.take_due()
    plan.stored(Group(0, 700), 700, is_new=True)
    first, second = plan.take_due()
    plan.failed(first)
    plan.stored(second, second.stop, is_new=True)
    assert plan.take_due() == []


def test_a_failure_in_the_walk_stops_the_delivery():
    """Nobody knows whether an object lies there, and where it ends."""
    plan = GroupPlan(2_500, 700)
    plan.take_due()
    plan.failed(Group(0, 700))
    assert plan.take_due() == []


def test_a_failure_where_nothing_lies_ends_the_walk():
    plan = GroupPlan(2_500, 700)
    plan.take_due()
    plan.failed(Group(0, 700), key_is_free=True)
    assert plan.take_due() == [Group(700, 1400), Group(1400, 2100)]


def test_a_group_cut_short_by_another_call_is_filled():
    """Two calls at once with different ends: the other one's tail was quicker than our full group."""
    plan = GroupPlan(2_100, 700)
    plan.take_due()
    plan.stored(Group(0, 700), 700, is_new=True)
    assert plan.take_due() == [Group(700, 1400), Group(1400, 2100)]
    plan.stored(Group(700, 1400), 1000, is_new=False)
    assert plan.take_due() == [Group(1000, 1400)]


def test_in_order_there_is_one_group_at_a_time():
    plan = GroupPlan(450, 200, in_order=True)
    assert plan.take_due() == [Group(0, 200)]
    plan.stored(Group(0, 200), 200, is_new=True)
    assert plan.take_due() == [Group(200, 400)]
    plan.failed(Group(200, 400), key_is_free=True)
    assert plan.take_due() == []


def test_a_group_takes_in_the_rest_of_the_aggregate_that_it_ends_in():
    plan = GroupPlan(20, 5, boundaries=Boundaries([0, 1, 2, 8, 9, 14, 19, 20]))
    assert plan.take_due() == [Group(0, 8)]
    plan.stored(Group(0, 8), 8, is_new=True)
    assert plan.take_due() == [Group(8, 14), Group(14, 19)]
    plan.stored(Group(8, 14), 14, is_new=True)
    plan.stored(Group(14, 19), 19, is_new=True)
    assert plan.take_due() == [Group(19, 20)]


def test_a_rest_that_is_one_aggregate_may_fill_a_group():
    plan = GroupPlan(9, 5, boundaries=Boundaries([0, 2, 9]))
    assert plan.take_due() == [Group(0, 9)]
