"""The course of a run, in steps that fit a chart."""

from itertools import pairwise

import pytest

from truckstream.demo.accounting.shard_rate import ShardRateMeter
from truckstream.demo.accounting.timeline import MAX_STEPS, BacklogSample, BacklogSeries, shard_rates


def meter_of(*samples):
    meter = ShardRateMeter()
    for time, count in samples:
        meter.sample(time, count)
    return meter


def steady(seconds, rate=1_000):
    """Return a meter whose count grew by a tenth of `rate` every tenth of a second, from time 50 on."""
    return meter_of(*((50 + tick / 10, tick * rate // 10) for tick in range(int(seconds * 10) + 1)))


def test_the_rates_of_all_steps_add_up_to_the_records():
    meter = meter_of((50.0, 0), (50.05, 900), (51.3, 1_000), (54.9, 1_001), (55.9, 5_000))
    rates = shard_rates({"a": meter}, 50.0, 56.0)
    assert sum(rate.records_per_second * (rate.end - rate.start) for rate in rates) == pytest.approx(5_000, abs=0.5)
    assert [(rate.start, rate.end) for rate in rates] == [(n, n + 1) for n in range(6)]


@pytest.mark.parametrize(("seconds", "width"), [(0.3, 0.3), (15, 1), (60, 1), (61, 2), (600, 10), (3_601, 61)])
def test_a_run_of_any_length_has_a_limited_number_of_equal_steps(seconds, width):
    rates = shard_rates({"a": meter_of((50, 0), (50 + seconds, 10))}, 50.0, 50.0 + seconds)
    assert len(rates) <= MAX_STEPS
    assert rates[0].end - rates[0].start == pytest.approx(width)
    assert (rates[0].start, rates[-1].end) == (0, pytest.approx(seconds, abs=0.01))
    assert all(one.end == other.start for one, other in pairwise(rates))


def test_a_full_shard_is_full_in_each_step():
    rates = shard_rates({"a": steady(15)}, 50.0, 65.0)
    assert [rate.records_per_second for rate in rates] == pytest.approx([1_000] * 15)


def test_a_short_rest_belongs_to_the_last_step():
    assert [rate.end for rate in shard_rates({"a": steady(4)}, 50.0, 53.3)] == [1, 2, 3.3]
    assert [rate.end for rate in shard_rates({"a": steady(4)}, 50.0, 53.7)] == [1, 2, 3, 3.7]


@pytest.mark.parametrize("meter", [ShardRateMeter(), meter_of((50.0, 0))])
def test_a_shard_without_records_has_a_rate_of_zero(meter):
    assert {rate.records_per_second for rate in shard_rates({"a": meter}, 50.0, 53.0)} == {0.0}


def test_the_shards_come_in_order():
    rates = shard_rates({"b": steady(2), "a": steady(2)}, 50.0, 52.0)
    assert [rate.shard_id for rate in rates] == ["a", "a", "b", "b"]


@pytest.mark.parametrize("offered", [1, 8, 9, 100, 10_000])
def test_a_long_run_keeps_a_limited_number_of_samples_at_equal_distances(offered):
    series = BacklogSeries(limit=8)
    for number in range(offered):
        series.offer(BacklogSample(float(number), number, 0))
    times = [sample.seconds for sample in series.samples()]
    assert min(offered, 4) <= len(times) <= 8
    assert times[0] == 0
    assert len({later - earlier for earlier, later in pairwise(times)}) <= 1
