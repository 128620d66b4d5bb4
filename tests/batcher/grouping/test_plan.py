"""The order in which the groups of an event may be stored."""

from truckstream.batcher.grouping.boundaries import Boundaries
from truckstream.batcher.grouping.plan import Group, GroupPlan


def test_a_new_event_stores_one_group_then_the_full_groups_then_the_rest():
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


def test_a_redelivery_stores_one_by_one_until_a_group_is_new():
    """An earlier event ended the second group at 1,000, so the third begins there."""
    plan = GroupPlan(3_000, 700)
    assert plan.take_due() == [Group(0, 700)]
    plan.stored(Group(0, 700), 700, is_new=False)
    assert plan.take_due() == [Group(700, 1400)]
    plan.stored(Group(700, 1400), 1000, is_new=False)
    assert plan.take_due() == [Group(1000, 1700)]
    plan.stored(Group(1000, 1700), 1700, is_new=True)
    assert plan.take_due() == [Group(1700, 2400)]


def test_a_redelivery_of_a_whole_event_ends_without_an_empty_group():
    plan = GroupPlan(700, 700)
    assert plan.take_due() == [Group(0, 700)]
    plan.stored(Group(0, 700), 700, is_new=False)
    assert plan.take_due() == []


def test_after_an_object_longer_than_a_group_the_plan_continues_at_its_end():
    plan = GroupPlan(1_000, 100)
    plan.take_due()
    plan.stored(Group(0, 100), 700, is_new=False)
    assert plan.take_due() == [Group(700, 800)]


def test_a_failure_in_the_parallel_phase_stops_the_rest_only():
    plan = GroupPlan(2_500, 700)
    plan.take_due()
    plan.stored(Group(0, 700), 700, is_new=True)
    first, second = plan.take_due()
    plan.failed(first)
    plan.stored(second, second.stop, is_new=True)
    assert plan.take_due() == []


def test_a_failure_in_the_first_phase_stops_the_event():
    """It is unknown whether the group's object exists, and where it ends."""
    plan = GroupPlan(2_500, 700)
    plan.take_due()
    plan.failed(Group(0, 700))
    assert plan.take_due() == []


def test_a_failure_with_a_free_key_ends_the_first_phase():
    plan = GroupPlan(2_500, 700)
    plan.take_due()
    plan.failed(Group(0, 700), key_is_free=True)
    assert plan.take_due() == [Group(700, 1400), Group(1400, 2100)]


def test_the_remainder_of_a_group_shortened_by_another_call_is_stored():
    """Another call with a shorter event runs at the same time and stores its last, smaller group first."""
    plan = GroupPlan(2_100, 700)
    plan.take_due()
    plan.stored(Group(0, 700), 700, is_new=True)
    assert plan.take_due() == [Group(700, 1400), Group(1400, 2100)]
    plan.stored(Group(700, 1400), 1000, is_new=False)
    assert plan.take_due() == [Group(1000, 1400)]


def test_in_order_groups_are_stored_one_by_one():
    plan = GroupPlan(650, 200, in_order=True)
    assert plan.take_due() == [Group(0, 200)]
    plan.stored(Group(0, 200), 200, is_new=True)
    assert plan.take_due() == [Group(200, 400)]
    plan.failed(Group(200, 400), key_is_free=True)
    assert plan.take_due() == []


def test_a_group_that_would_end_inside_an_aggregate_includes_all_of_it():
    plan = GroupPlan(20, 5, boundaries=Boundaries([0, 1, 2, 8, 9, 14, 19, 20]))
    assert plan.take_due() == [Group(0, 8)]
    plan.stored(Group(0, 8), 8, is_new=True)
    assert plan.take_due() == [Group(8, 14), Group(14, 19)]
    plan.stored(Group(8, 14), 14, is_new=True)
    plan.stored(Group(14, 19), 19, is_new=True)
    assert plan.take_due() == [Group(19, 20)]


def test_an_aggregate_may_extend_a_group_to_the_end_of_the_event():
    plan = GroupPlan(9, 5, boundaries=Boundaries([0, 2, 9]))
    assert plan.take_due() == [Group(0, 9)]


def test_the_groups_of_a_long_aggregate_are_full_although_they_have_fewer_records():
    """Two records, an aggregate of twelve, and another record."""
    plan = GroupPlan(15, 5, boundaries=Boundaries([0, 1, 2, 7, 12, 14, 15], fixed_edges=[2, 7, 12, 14]))
    assert plan.take_due() == [Group(0, 2)]
    plan.stored(Group(0, 2), 2, is_new=True)
    assert plan.take_due() == [Group(2, 7), Group(7, 12), Group(12, 14)]
    for start, stop in ((2, 7), (7, 12), (12, 14)):
        plan.stored(Group(start, stop), stop, is_new=True)
    assert plan.take_due() == [Group(14, 15)]
