"""Rates over the last seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.consumer.watching.rate_meter import WINDOW_SECONDS, RateMeter


@pytest.mark.parametrize("seconds", [1.5, 5, 30.25])
def test_a_steady_flow_has_its_rate(seconds):
    meter = RateMeter(0.0)
    ticks = int(seconds * 20)
    for tick in range(1, ticks + 1):
        meter.add(50, tick / 20)
    assert meter.per_second(seconds) == pytest.approx(1_000, rel=0.04)


def test_a_rate_falls_to_zero_within_the_window():
    meter = RateMeter(0.0)
    meter.add(1_000, 20.0)
    assert meter.per_second(21.0) == pytest.approx(1_000 / 9)  # nine whole seconds, and none of the present one
    assert meter.per_second(20.0 + WINDOW_SECONDS) == 0


@given(st.lists(st.tuples(st.integers(0, 1_000), st.floats(0, 2)), max_size=60))
def test_no_more_is_counted_than_came_in_the_window(steps):
    meter, now, came = RateMeter(0.0), 0.0, []
    for amount, pause in steps:
        now += pause
        meter.add(amount, now)
        came.append((now, amount))
    lately = sum(amount for at, amount in came if at > now - WINDOW_SECONDS)
    assert 0 <= meter.per_second(now) <= lately
    assert meter.per_second(now + WINDOW_SECONDS) == 0
