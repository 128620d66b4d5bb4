"""When the shards are listed: at once after the first contradiction about a shard, and less and less often in vain."""

import math
from random import Random

from truckstream.producer.pacing.refresh_schedule import RefreshSchedule


def list_at(schedule, now, *, changed):
    assert schedule.start(now)
    schedule.done(now, changed=changed)


def test_nothing_is_listed_unless_somebody_asks():
    schedule = RefreshSchedule()
    assert schedule.due_at() == math.inf
    assert not schedule.start(0.0)


def test_one_listing_at_a_time():
    schedule = RefreshSchedule()
    schedule.request()
    assert schedule.start(5.0)
    schedule.request(at_once=True)
    assert schedule.due_at() == math.inf


def test_the_pause_doubles_up_to_half_a_minute_while_nothing_changes():
    schedule, now, pauses = RefreshSchedule(), 0.0, []
    for _ in range(7):
        schedule.request()
        list_at(schedule, now, changed=False)
        schedule.request()
        pauses.append(schedule.due_at() - now)
        now = schedule.due_at()
    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_new_contradiction_ends_the_pause():
    schedule = RefreshSchedule()
    schedule.request()
    schedule.start(0.0)
    for now in (0.0, 2.0, 6.0, 14.0):
        schedule.done(now, changed=False)
        schedule.request()
        schedule.start(schedule.due_at())
    schedule.done(30.0, changed=False)
    schedule.request()
    assert schedule.due_at() == 60.0
    schedule.request(at_once=True)
    assert schedule.due_at() == 31.0
    list_at(schedule, 40.0, changed=False)
    schedule.request()
    assert schedule.due_at() == 42.0


def test_what_was_listed_is_not_listed_again_unless_somebody_asks_again():
    schedule = RefreshSchedule()
    schedule.request(at_once=True)
    list_at(schedule, 0.0, changed=True)
    assert schedule.due_at() == math.inf


def test_a_listing_that_changed_the_map_ends_the_growing_pauses():
    schedule = RefreshSchedule()
    for now, changed in ((0.0, False), (2.0, False), (6.0, True)):
        schedule.request()
        list_at(schedule, now, changed=changed)
    schedule.request()
    assert schedule.due_at() == 7.0


def test_the_hurry_ends_with_the_listing():
    """Later failures, of listings that nothing urgent asked for, are repeated less and less often."""
    schedule = RefreshSchedule()
    schedule.request(at_once=True)
    list_at(schedule, 0.0, changed=False)
    schedule.request()
    for now in (2.0, 6.0):
        assert schedule.start(now)
        schedule.failed(now)
    assert schedule.due_at() == 6.0 + 8.0


def test_new_contradictions_cause_one_listing_a_second_at_most():
    schedule = RefreshSchedule()
    schedule.request(at_once=True)
    list_at(schedule, 5.0, changed=True)
    schedule.request(at_once=True)
    assert not schedule.start(5.9)
    assert schedule.start(6.0)


def test_failed_listings_are_repeated_soon_while_a_shard_was_probably_resharded():
    schedule, now, pauses = RefreshSchedule(), 0.0, []
    schedule.request(at_once=True)
    for _ in range(5):
        assert schedule.start(now)
        schedule.failed(now)
        pauses.append(schedule.due_at() - now)
        now = schedule.due_at()
    assert pauses == [2.0, 4.0, 5.0, 5.0, 5.0]


def test_listings_that_fail_without_such_a_reason_are_repeated_less_and_less_often():
    schedule, now = RefreshSchedule(), 0.0
    schedule.request()
    for _ in range(6):
        assert schedule.start(now)
        schedule.failed(now)
        now = schedule.due_at()
    assert now == 2.0 + 4.0 + 8.0 + 16.0 + 30.0 + 30.0


def test_a_hundred_callers_that_failed_together_do_not_come_back_together():
    """The shortest pause is half of the longest."""
    due = []
    for seed in range(100):
        calls = RefreshSchedule(Random(seed))
        calls.request()
        calls.start(0.0)
        calls.failed(0.0)
        due.append(calls.due_at())
    assert 1.0 <= min(due) < 1.05
    assert 1.95 < max(due) <= 2.0
    most_in_a_tenth = max(sum(1.0 + tenth / 10 <= at < 1.1 + tenth / 10 for at in due) for tenth in range(10))
    assert most_in_a_tenth < 20
