"""How much time must be left until a record's deadline when it is sent."""

import pytest

from truckstream.producer.pacing.response_time import ResponseTime


def after(*responses, delivery_timeout=120.0, linger=0.1):
    time = ResponseTime(delivery_timeout, linger)
    for seconds in responses:
        time.on_response(seconds)
    return time


def test_nothing_is_known_before_the_first_response():
    assert after().allowance == 0.0


def test_twice_the_time_of_a_response_must_be_left():
    assert after(0.02).allowance == 0.04


def test_a_slow_response_counts_at_once_and_fast_ones_slowly():
    assert after(0.02, 3.0).allowance == 6.0
    assert after(3.0, 0.0).allowance == pytest.approx(5.4)
    assert after(3.0, *[0.02] * 50).allowance < 0.1


def test_it_is_at_most_a_quarter_of_the_delivery_timeout():
    assert after(60.0).allowance == 30.0
    assert after(60.0, delivery_timeout=4.0).allowance == 1.0


def test_a_record_is_never_too_late_when_it_has_lingered():
    assert after(60.0, delivery_timeout=1.0, linger=0.9).allowance == pytest.approx(0.05)


def test_an_attempt_that_was_cut_off_raises_it():
    """So a service that has become slow gets the time that it needs, after some attempts."""
    time = after(0.02)
    for _ in range(8):
        time.on_cut_off(time.allowance)
    assert time.allowance > 5.0
    time.on_cut_off(0.1)
    assert time.allowance > 5.0
