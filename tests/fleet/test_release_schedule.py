"""The schedule, with literal times and no loop."""

import pytest

from truckstream.fleet.release_schedule import ReleaseSchedule


def drive(schedule, moments):
    return [schedule.release(now) for now in moments]


def test_the_first_record_is_due_at_once_and_the_next_after_its_period():
    assert drive(ReleaseSchedule(10.0, 100.0), [100.0, 100.05, 100.1, 100.2]) == [1, 0, 1, 1]


def test_a_late_wake_up_delays_no_later_record():
    """Asked at 0.35 s instead of 0.1 s, it releases all records that are due and keeps to its grid."""
    assert drive(ReleaseSchedule(10.0, 0.0), [0.0, 0.35, 0.4]) == [1, 3, 1]


def test_there_is_no_drift_in_an_hour_of_ragged_wake_ups():
    schedule, now, taken = ReleaseSchedule(997.0, 0.0), 0.0, 0
    while now < 3600.0:
        taken += schedule.release(now)
        now = schedule.next_release_time() + 0.0007
    assert taken == pytest.approx(997.0 * 3600.0, abs=997.0 * 0.021)
    assert schedule.given_up == 0.0


def test_the_next_release_is_a_burst_of_20_ms_or_one_record():
    fast, slow = ReleaseSchedule(1000.0, 0.0), ReleaseSchedule(2.0, 0.0)
    fast.release(0.0)
    slow.release(0.0)
    assert fast.next_release_time() == pytest.approx(0.02)
    assert slow.next_release_time() == 0.5


def test_a_wake_up_exactly_on_time_finds_its_burst():
    schedule = ReleaseSchedule(1000.0, 12345.678)
    schedule.release(12345.678)
    assert [schedule.release(schedule.next_release_time()) for _ in range(10_000)] == [20] * 10_000


def test_asking_early_is_harmless():
    assert drive(ReleaseSchedule(10.0, 5.0), [5.0, 5.0999, 4.0, 5.1]) == [1, 0, 0, 1]


def test_after_a_long_stop_it_makes_up_for_one_second_and_moves_the_schedule():
    schedule = ReleaseSchedule(100.0, 0.0)
    assert drive(schedule, [0.0, 60.0, 60.01, 61.0]) == [1, 100, 1, 99]
    assert schedule.given_up == pytest.approx(59.0)


def test_a_slow_rate_gives_up_no_time_for_a_record_that_is_just_due():
    """At one record in ten seconds, a record that is due now is not late."""
    schedule = ReleaseSchedule(0.1, 0.0)
    assert drive(schedule, [0.0, 10.0, 20.0]) == [1, 1, 1]
    assert schedule.given_up == 0.0
