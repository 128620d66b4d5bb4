"""Producers that share shards, on simulated time: how full they keep them, and how many sends are throttled."""

import statistics

import pytest

from tests.producer.pacing.simulation import Feeder, QuotaService, UnpacedWriter, simulate
from tests.producer.support import even_shards


def slow(*values):
    """More values of a parameter, for the slow suite."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def share(feeders, *, shards=1, scale=1.0, refused=0.0, writers=(), warm_up=3.0, seconds=12.0, seed=1, delay=0.02):
    """Records a second of each producer after the warm-up, and the share of all sends that was throttled."""
    service = QuotaService(even_shards(shards), scale=scale, refused=refused, seed=seed)
    until = warm_up + seconds
    samples = simulate(service, feeders, until=until, sample_at=[warm_up], seed=seed, writers=writers, delay=delay)
    assert not any(feeder.core.stats(samples[-1].now).failed for feeder in feeders)
    return samples[1].since(samples[0])


@pytest.mark.parametrize("shards", [1, 4])
def test_one_producer_fills_its_shards_and_nothing_is_throttled(shards):
    [rate], wasted = share([Feeder(1, even_shards(shards))], shards=shards)
    assert rate >= 999 * shards
    assert wasted == 0


@pytest.mark.parametrize("seed", [0, *slow(1, 2, 3, 4)])
@pytest.mark.parametrize("later", [0.0, 5.03])
def test_two_producers_share_a_shard_fairly_and_fill_it(seed, later):
    feeders = [Feeder(seed, even_shards(1)), Feeder(seed + 100, even_shards(1), starts=later)]
    rates, wasted = share(feeders, warm_up=later + 3.0, seconds=10.0, seed=seed)
    assert sum(rates) >= 970
    assert all(0.4 <= rate / sum(rates) <= 0.6 for rate in rates)
    assert wasted < 0.05


def test_four_producers_share_a_shard():
    rates, wasted = share([Feeder(number, even_shards(1)) for number in range(4)])
    assert sum(rates) >= 970
    assert all(rate >= 125 for rate in rates)
    assert wasted < 0.07


def test_the_last_producer_gets_the_whole_shard_again():
    """One of two stops; the other is at the full rate five seconds later."""
    stops = Feeder(1, even_shards(1))
    stays = Feeder(2, even_shards(1))
    feed = stops.feed
    stops.feed = lambda now: feed(now) if now < 10.0 else None
    stopped = 10.0 + 3.0  # it had a backlog
    samples = simulate(QuotaService(even_shards(1)), [stops, stays], until=30.0, sample_at=[stopped + 5.0])
    rates, wasted = samples[1].since(samples[0])
    assert rates[1] >= 999
    assert wasted == 0


def test_a_shard_that_takes_less_than_documented_is_found_out():
    """Another producer that cannot be seen takes half of it."""
    [rate], wasted = share([Feeder(1, even_shards(1))], scale=0.5)
    assert rate >= 490
    assert wasted < 0.05


@pytest.mark.parametrize("refused", [0.01, 0.3, *slow(0.001, 0.05, 0.1)])
def test_sporadic_throttles_do_not_slow_a_producer_down(refused):
    [rate], wasted = share([Feeder(1, even_shards(1))], refused=refused, warm_up=5.0, seconds=20.0)
    assert rate >= 0.9 * (1 - refused) * 1_000
    assert wasted < refused * 1.5


@pytest.mark.parametrize("delay", [0.005, *slow(0.02)])
@pytest.mark.parametrize("pause", [0.02, 0.15, *slow(0.05)])
def test_beside_a_writer_without_pacing_a_producer_keeps_its_part(pause, delay):
    """The writer sends 3,000 to 25,000 records a second, and sends what was throttled again at once."""
    rates, wastes = [], []
    for seed in range(1, 3):
        writers = [UnpacedWriter(pause=pause)]
        feeders = [Feeder(seed, even_shards(1))]
        [rate], wasted = share(feeders, writers=writers, warm_up=5.0, seconds=15.0, seed=seed, delay=delay)
        rates.append(rate)
        wastes.append(wasted)
    assert min(rates) >= 400
    assert statistics.mean(wastes) < 0.15


@pytest.mark.parametrize("seed", [1, *slow(2, 3)])
def test_when_a_writer_without_pacing_stops_the_full_rate_is_back_within_five_seconds(seed):
    writers = [UnpacedWriter(pause=0.02, ends=20.0)]
    feeders = [Feeder(seed, even_shards(1))]
    service = QuotaService(even_shards(1))
    samples = simulate(service, feeders, until=26.0, sample_at=[25.0], writers=writers, seed=seed)
    [rate], wasted = samples[1].since(samples[0])
    assert rate >= 950
    assert wasted < 0.01


@pytest.mark.parametrize("shards", [1, 4])
def test_without_a_list_of_shards_the_stream_is_paced_as_a_whole(shards):
    feeder = Feeder(1, even_shards(shards), listed=False, buffer_bytes=64 << 20)
    [rate], wasted = share([feeder], shards=shards, warm_up=5.0, seconds=10.0)
    assert rate >= 950 * shards
    assert wasted < 0.05


def test_an_on_demand_shard_that_takes_three_times_the_documented_quota_is_found_out():
    [rate], wasted = share([Feeder(1, even_shards(1), on_demand=True, backlog=5_000)], scale=3.0, warm_up=10.0)
    assert rate >= 2_700
    assert wasted < 0.05


def test_an_on_demand_producer_below_the_quota_does_not_raise_its_rate():
    feeder = Feeder(1, even_shards(1), on_demand=True, backlog=20)
    share([feeder], scale=3.0)
    assert feeder.core.stats(15.0).shards["shardId-000000000000"].records_per_second == pytest.approx(1_000)


def test_aggregates_are_paced_by_their_own_number_and_bytes():
    """A shard of 1 MiB/s takes more than 1,000 user records a second, and none of them is throttled."""
    [rate], wasted = share([Feeder(1, even_shards(1), aggregate=True, backlog=5_000)], seconds=10.0)
    assert 1_950 <= rate <= 1 << 20
    assert wasted == 0


def test_in_order_a_shard_is_full_with_a_hundred_keys():
    [rate], wasted = share([Feeder(1, even_shards(1), ordered=True, trucks=100)], seconds=10.0)
    assert rate >= 999
    assert wasted == 0


def test_in_order_and_aggregated_a_shard_is_full_with_a_single_key():
    feeder = Feeder(1, even_shards(1), ordered=True, aggregate=True, backlog=5_000)
    [rate], wasted = share([feeder], seconds=10.0)
    assert rate >= 1_950
    assert wasted == 0
