"""The estimated duration of a PUT, and whether one more fits before the deadline."""

import pytest

from truckstream.batcher.storing.deadline import PutTimeEstimate


def test_the_first_put_is_estimated_at_one_second():
    put_time = PutTimeEstimate()
    assert put_time.fits(1, now=10.0, deadline=11.0)
    assert not put_time.fits(1, now=10.1, deadline=11.0)
    assert not put_time.fits(2, now=10.0, deadline=11.0)


def test_without_a_deadline_any_put_fits():
    assert PutTimeEstimate().fits(9, now=1e9, deadline=None)


def test_after_one_put_the_next_may_take_three_times_as_long():
    """RFC 6298: the deviation of a single sample is taken to be half of it, and four deviations are added."""
    put_time = PutTimeEstimate()
    put_time.learn(0.2)
    assert put_time.seconds == pytest.approx(0.6)
    assert put_time.fits(2, now=10.0, deadline=11.21)
    assert not put_time.fits(3, now=10.0, deadline=11.21)


def test_a_slower_put_raises_the_estimate_by_the_weights_of_rfc_6298():
    """Its excess weighs an eighth in the mean and a quarter in the deviation."""
    put_time = PutTimeEstimate()
    put_time.learn(0.2)
    put_time.learn(0.4)
    assert put_time.seconds == pytest.approx((0.2 + 0.2 / 8) + 4 * (0.1 + (0.2 - 0.1) / 4))


def test_the_estimate_approaches_a_constant_duration():
    put_time = PutTimeEstimate()
    for _ in range(100):
        put_time.learn(0.2)
    assert put_time.seconds == pytest.approx(0.2, abs=0.01)


def test_the_estimate_exceeds_durations_that_vary():
    """PUTs take 0.1 and 0.5 seconds in turn."""
    put_time = PutTimeEstimate()
    for n in range(100):
        put_time.learn(0.1 if n % 2 else 0.5)
    assert 0.8 < put_time.seconds < 1.3


def test_the_estimate_has_a_minimum():
    put_time = PutTimeEstimate()
    for _ in range(100):
        put_time.learn(0.0001)
    assert put_time.seconds == 0.05
