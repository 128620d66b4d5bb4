"""A shard's buckets for records and bytes, at the rate that the shard accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.producer.pacing.shard_pacer import ShardPacer
from truckstream.producer.pacing.token_bucket import TokenBucket


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


def test_a_throttled_shard_is_sent_about_what_it_accepts():
    pace = ShardPacer(0.0)
    for step in range(1, 200):
        now = step / 20
        count = pace.records_allowed(now)
        pace.take(count, count * 500, now)
        pace.on_response(count, max(0, count - 20), now, now)  # it accepts 400 a second
    assert 300 <= pace.rate_at(10.0) <= 500


def test_the_rate_for_bytes_falls_with_that_for_records():
    pace, taken = ShardPacer(0.0), 0
    for step in range(1, 200):
        now = step / 20
        count = int(max(0, pace.bytes_allowed(now)) // 100_000)
        if count and pace.records_allowed(now) >= count:
            pace.take(count, count * 100_000, now)
            pace.on_response(count, count // 2 if step % 2 else count, now, now)
        taken += count
    assert taken < 60, "at the documented quota it would be 100"


def test_a_backlog_goes_in_steps_that_are_finer_while_the_shard_throttles():
    pace = ShardPacer(0.0)
    pace.take(500, 0, 0.0)
    assert pace.when(1_000, 500_000, 500, 0.0) == pytest.approx(0.1)
    pace.on_response(500, 1, 0.0, 0.02)
    assert pace.when(1_000, 500_000, 500, 0.02) == pytest.approx(0.02)
    pace.take(20, 0, 0.02)
    assert pace.when(1_000, 500_000, 500, 0.02) == pytest.approx(0.03)


def test_the_rate_never_falls_to_nothing():
    pace = ShardPacer(0.0)
    for second in range(200):
        pace.on_response(100, 100, float(second), float(second))
    assert pace.rate_at(199.0) >= 20
