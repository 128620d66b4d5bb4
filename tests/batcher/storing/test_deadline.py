"""How long a PUT takes, and whether there is time for another."""

import pytest

from truckstream.batcher.storing.deadline import PutTimeEstimate


def test_the_first_put_may_take_a_second():
    put_time = PutTimeEstimate()
    assert put_time.fits(1, now=10.0, deadline=11.0)
    assert not put_time.fits(1, now=10.1, deadline=11.0)
    assert not put_time.fits(2, now=10.0, deadline=11.0)


def test_without_a_deadline_there_is_always_time():
    assert PutTimeEstimate().fits(9, now=1e9, deadline=None)


def test_steady_puts_are_trusted():
    put_time = PutTimeEstimate()
    for _ in range(100):
        put_time.learn(0.2)
    assert put_time.seconds == pytest.approx(0.2, abs=0.01)


def test_puts_that_vary_are_given_room():
    """Of 0.1 and 0.5 seconds in turn, nearly every one is below the estimate."""
    put_time = PutTimeEstimate()
    for n in range(100):
        put_time.learn(0.1 if n % 2 else 0.5)
    assert 0.8 < put_time.seconds < 1.3


def test_no_put_is_trusted_to_take_no_time():
    put_time = PutTimeEstimate()
    for _ in range(100):
        put_time.learn(0.0001)
    assert put_time.seconds == 0.05
