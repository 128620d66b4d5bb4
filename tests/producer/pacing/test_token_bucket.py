"""A bucket of tokens that a quota grants."""

import pytest

from truckstream.producer.pacing.token_bucket import TokenBucket


def test_a_bucket_starts_full_and_refills_at_its_rate():
    bucket = TokenBucket(rate=10.0, capacity=5.0, now=0.0)
    bucket.take(5, 0.0)
    assert bucket.level(0.0) == 0
    assert bucket.when(3, 0.0) == pytest.approx(0.3)
    assert bucket.when(2, 0.3) == 0.3, "now, and not when they came"
    assert bucket.level(0.3) == pytest.approx(3)
    assert bucket.level(100.0) == 5


def test_more_than_the_capacity_may_go_when_the_bucket_is_full_and_leaves_a_debt():
    bucket = TokenBucket(rate=10.0, capacity=5.0, now=0.0)
    assert bucket.when(20, 0.0) == 0.0
    bucket.take(20, 0.0)
    assert bucket.when(1, 0.0) == pytest.approx(1.6)


def test_a_new_rate_counts_from_now_on():
    """What came at the old rate stays: a rate that falls must not take back records that were granted."""
    bucket = TokenBucket(rate=10.0, capacity=50.0, now=0.0)
    bucket.take(50, 0.0)
    bucket.set_rate(1.0, 2.0)
    assert bucket.level(2.0) == pytest.approx(20)
    assert bucket.level(3.0) == pytest.approx(21)


def test_a_debt_is_paid_off_at_the_rate():
    bucket = TokenBucket(rate=10.0, capacity=5.0, now=3.0)
    bucket.take(25, 3.0)
    assert bucket.level(3.0) == -20
    assert bucket.level(4.0) == pytest.approx(-10)
    bucket.take(5, 4.0)
    assert bucket.level(6.0) == pytest.approx(5)


def test_a_clock_that_lags_grants_nothing_twice():
    """Two callers may have read the clock in another order than they ask."""
    bucket = TokenBucket(rate=10.0, capacity=5.0, now=0.0)
    bucket.take(5, 0.0)
    assert bucket.level(0.2) == pytest.approx(2)
    assert bucket.level(0.1) == pytest.approx(2)
    assert bucket.level(0.3) == pytest.approx(3)


@pytest.mark.parametrize("wanted", [1, 3, 7])
def test_a_wake_up_at_the_announced_time_finds_its_tokens(wanted):
    """In spite of rounding: otherwise the producer would wake up over and over without sending."""
    bucket = TokenBucket(rate=3.0, capacity=7.0, now=0.1)
    bucket.take(7, 0.1)
    at = bucket.when(wanted, 0.1)
    assert bucket.when(wanted, at - 0.01) == pytest.approx(at)
    assert bucket.when(wanted, at) == at


def test_what_is_returned_to_a_full_bucket_is_lost():
    bucket = TokenBucket(10.0, 5.0, 0.0)
    bucket.take(3.0, 0.0)
    bucket.take(-2.0, 1.0)
    assert bucket.level(1.0) == 5.0
