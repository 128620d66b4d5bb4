"""Exponential backoff with full jitter."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from truckstream.producer.pacing.retry_backoff import RetryBackoff


def test_delays_spread_over_the_whole_interval_and_double():
    backoff = RetryBackoff(Random(7), base=0.1, cap=5.0)
    for attempts, longest in ((1, 0.1), (2, 0.2), (4, 0.8), (30, 5.0)):
        delays = [backoff.retry_at(attempts, 0.0, 1e9) for _ in range(2_000)]
        assert min(delays) < 0.05 * longest
        assert 0.95 * longest < max(delays) <= longest


@given(st.integers(1, 100), st.floats(0, 1e6), st.floats(0.001, 300), st.integers(0, 1_000))
def test_a_retry_comes_before_the_deadline(attempts, now, left, seed):
    assert now <= RetryBackoff(Random(seed)).retry_at(attempts, now, now + left) <= now + left / 2 + 1e-6


def test_past_the_deadline_there_is_no_delay():
    assert RetryBackoff(Random(1)).retry_at(5, 10.0, 9.0) == 10.0
