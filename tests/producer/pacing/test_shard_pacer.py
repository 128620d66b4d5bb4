"""A shard's buckets for records and bytes, at the rate that the shard accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.producer.pacing.shard_pacer import ShardPacer


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


def test_a_record_fits_if_its_bytes_are_there_or_the_bucket_is_full():
    """Larger than half a second of the quota, it could otherwise never be sent."""
    pace = ShardPacer(0.0)
    burst = pace.bytes_allowed(0.0)
    assert burst == 512 * 1024
    assert pace.fits(1_000, 1_000.0)
    assert not pace.fits(1_001, 1_000.0)
    assert pace.fits(10 * 1024 * 1024, burst)
    assert not pace.fits(10 * 1024 * 1024, burst - 1)
    assert pace.fits(1_000, 1_000 - 1e-9), "rounding"
