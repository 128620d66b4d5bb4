"""Measuring a shard's rate from counts that grow in steps."""

import pytest

from truckstream.demo.accounting.shard_rate import ShardRateMeter


def meter_of_steps(step_at):
    """Return a meter that was sampled every 10 ms, of a count that grows by 100 every tenth of a second."""
    meter = ShardRateMeter()
    for tick in range(1_000):
        meter.sample(tick / 100, 100 * ((tick + step_at) // 10))
    return meter


@pytest.mark.parametrize("step_at", range(10))
def test_the_rate_does_not_depend_on_where_the_window_cuts_the_steps(step_at):
    assert meter_of_steps(step_at).rate(2.03, 9.48) == pytest.approx(1_000)


def test_a_window_with_fewer_than_two_steps_has_no_rate():
    assert meter_of_steps(0).rate(2.01, 2.12) == 0.0
    assert ShardRateMeter().rate(0, 10) == 0.0
