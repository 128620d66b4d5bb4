"""Buckets and the rate that learns from throttles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.producer.pacing.shard_pacer import ShardPacer, TokenBucket


def test_a_bucket_starts_full_and_refills_at_its_rate():
    bucket = TokenBucket(rate=10.0, capacity=5.0, now=0.0)
    bucket.take(5, 0.0)
    assert bucket.level(0.0) == 0
    assert bucket.when(3, 0.0) == pytest.approx(0.3)
    assert bucket.level(0.3) == pytest.approx(3)
    assert bucket.level(100.0) == 5


def test_more_than_the_capacity_may_go_when_the_bucket_is_full_and_leaves_a_debt():
    bucket = TokenBucket(rate=10.0, capacity=5.0, now=0.0)
    assert bucket.when(20, 0.0) == 0.0
    bucket.take(20, 0.0)
    assert bucket.when(1, 0.0) == pytest.approx(1.6)


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 400)), max_size=60))
def test_no_window_of_time_lets_more_through_than_rate_and_burst(steps):
    pace, now, sent = ShardPacer(0.0), 0.0, []
    for pause, wanted in steps:
        now += pause
        count = min(wanted, pace.records_allowed(now))
        pace.take(count, count * 100, now)
        sent.append((now, count))
    for start, (opened, _) in enumerate(sent):
        for closed, _ in sent[start:]:
            window = sum(count for at, count in sent[start:] if at <= closed)
            assert window <= 500 + 1_000 * (closed - opened) + 1


def test_a_throttle_lowers_the_rate_by_the_rejected_share_and_it_recovers_steadily():
    pace = ShardPacer(0.0)
    pace.on_throttled(0.25, sent_at=0.9, now=1.0)
    assert pace.rate_at(1.0) == pytest.approx(750)
    assert pace.rate_at(2.0) == pytest.approx(780)
    assert pace.rate_at(60.0) == 1_000


def test_a_cut_is_at_least_a_tenth_and_at_most_half():
    pace = ShardPacer(0.0)
    pace.on_throttled(0.01, sent_at=0.0, now=0.0)
    assert pace.rate_at(0.0) == pytest.approx(900)
    pace.on_throttled(1.0, sent_at=0.0, now=0.0)
    assert pace.rate_at(0.0) == pytest.approx(450)


def test_requests_that_were_in_flight_when_the_rate_fell_do_not_cut_it_again():
    pace = ShardPacer(0.0)
    pace.on_throttled(0.5, sent_at=1.0, now=1.1)
    pace.on_throttled(0.5, sent_at=1.05, now=1.15)
    assert pace.rate_at(1.15) == pytest.approx(501.5)
    pace.on_throttled(0.5, sent_at=1.15, now=1.2)
    assert pace.rate_at(1.2) == pytest.approx(251.5)


def test_the_rate_never_falls_to_nothing():
    pace = ShardPacer(0.0)
    for second in range(200):
        pace.on_throttled(1.0, float(second), float(second))
    assert pace.rate_at(199.0) >= 20
