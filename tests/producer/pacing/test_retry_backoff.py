"""Exponential backoff with full jitter."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from truckstream.producer.pacing.retry_backoff import RetryBackoff


class Longest:
    """A source of jitter that always draws the longest delay."""

    def uniform(self, _low, high):
        return high


def test_delays_spread_over_the_whole_interval_and_double():
    backoff = RetryBackoff(Random(7), base=0.1, cap=5.0)
    for attempts, longest in ((1, 0.1), (2, 0.2), (4, 0.8), (30, 5.0)):
        delays = [backoff.retry_at(attempts, 0.0, 1e9) for _ in range(2_000)]
        assert min(delays) < 0.05 * longest
        assert 0.95 * longest < max(delays) <= longest


def test_by_default_the_first_delay_is_up_to_a_tenth_of_a_second_and_no_delay_is_over_five():
    backoff = RetryBackoff(Random(7))
    for attempts, longest in ((1, 0.1), (2, 0.2), (6, 3.2), (7, 5.0), (20, 5.0), (5_000, 5.0)):
        delays = [backoff.delay(attempts) for _ in range(1_000)]
        assert 0.97 * longest < max(delays) <= longest


@given(st.integers(1, 100), st.floats(0, 1e6), st.floats(0.001, 300), st.integers(0, 1_000))
def test_a_retry_comes_before_the_deadline(attempts, now, left, seed):
    assert now <= RetryBackoff(Random(seed)).retry_at(attempts, now, now + left) <= now + left / 2 + 1e-6


def test_near_the_deadline_a_retry_waits_for_half_of_the_time_that_is_left():
    """So there is time for another one after it."""
    assert RetryBackoff(Longest()).retry_at(30, 10.0, 14.0) == 12.0
    assert RetryBackoff(Longest()).retry_at(30, 10.0, 99.0) == 15.0


def test_past_the_deadline_there_is_no_delay():
    assert RetryBackoff(Random(1)).retry_at(5, 10.0, 9.0) == 10.0


def test_records_that_failed_together_share_a_time_but_not_a_deadline():
    backoff = RetryBackoff(Random(1), linger=0.1)
    assert {backoff.retry_together_at(3.0, 10.0, deadline) for deadline in (20.0, 30.0, 100.0)} == {13.0}
    assert backoff.retry_together_at(3.0, 10.0, 12.0) < 12.0


def test_retries_linger_for_company():
    backoff = RetryBackoff(Random(1), linger=0.5)
    assert {backoff.retry_together_at(delay, 10.0, 100.0) for delay in (0.51, 0.6, 0.7, 0.99)} == {11.0}


def test_without_linger_retries_of_a_fiftieth_of_a_second_go_together():
    backoff = RetryBackoff(Random(1))
    assert {backoff.retry_together_at(delay, 10.0, 100.0) for delay in (0.001, 0.01, 0.019)} == {10.02}


@given(st.floats(0, 10), st.floats(0, 1e6), st.floats(0.001, 300), st.floats(0, 5))
def test_a_shared_time_is_not_past_the_deadline(delay, now, left, linger):
    at = RetryBackoff(Random(1), linger=linger).retry_together_at(delay, now, now + left)
    assert now <= at + 1e-6
    assert at < now + left or left < 1e-3


def test_without_linger_a_record_near_its_deadline_is_not_tried_over_and_over():
    backoff, now, attempts = RetryBackoff(Random(1)), 0.0, 0
    while now < 9.999 and attempts < 1_000:
        now = max(now + 1e-9, backoff.retry_together_at(5.0, now, 10.0))
        attempts += 1
    assert attempts < 30
