"""Rates from counts that grow in steps."""

import pytest

from truckstream.demo.shard_rate import ShardGauge


def stepped(step_at):
    """A gauge sampled every 10 ms whose count grows by 100 every tenth of a second."""
    gauge = ShardGauge()
    for tick in range(1_000):
        gauge.sample(tick / 100, 100 * ((tick + step_at) // 10))
    return gauge


@pytest.mark.parametrize("step_at", range(10))
def test_the_rate_does_not_depend_on_where_the_window_cuts_the_steps(step_at):
    assert stepped(step_at).rate(2.03, 9.48) == pytest.approx(1_000)


def test_a_window_without_two_steps_has_no_rate():
    assert stepped(0).rate(2.01, 2.12) == 0.0
    assert ShardGauge().rate(0, 10) == 0.0
