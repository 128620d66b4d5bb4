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
    assert pace.when(1_000, 500_000, 500, 0.02) == pytest.approx(0.025)


def test_a_throttled_shard_is_sent_200_requests_a_second_at_most():
    pace = ShardPacer(0.0)
    for step in range(1, 200):
        now = step / 20
        count = pace.records_allowed(now)
        pace.take(count, 0, now)
        pace.on_response(count, max(0, count - 15), now, now)  # it accepts 300 a second
    requests, now = 0, 10.0
    while now < 11.0:
        assert pace.rate_at(now) > 250, "so a step has more than a record"
        pace.take(pace.records_allowed(now), 0, now)
        requests += 1
        now = pace.when(1_000, 500_000, 500, now)
        pace.on_response(1, 0, now, now)
    assert 100 < requests <= 201


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


# --- Steps of a backlog -----------------------------------------------------------------------------


def empty_pacer(**options):
    """A pacer that has nothing saved up."""
    pace = ShardPacer(0.0, **options)
    pace.take(500, 512 * 1024, 0.0)
    return pace


def test_a_backlog_that_is_smaller_than_a_step_does_not_wait_for_more():
    assert empty_pacer().when(5, 500, 100, 0.0) == pytest.approx(0.005)
    assert empty_pacer().when(1, 10_486, 10_486, 0.0) == pytest.approx(0.01, rel=0.01)


def test_a_step_of_large_records_waits_for_their_bytes():
    """A tenth of a second of bytes, although the records of a step would be there sooner."""
    assert empty_pacer().when(50, 1_000_000, 20_000, 0.0) == pytest.approx(0.1)


def test_a_record_that_is_larger_than_a_step_waits_for_all_of_its_bytes():
    """Woken up sooner, the producer could not send it, and would be woken up over and over."""
    pace, size = empty_pacer(), 300_000
    at = pace.when(10, 3_000_000, size, 0.0)
    assert at == pytest.approx(size / 2**20)
    assert pace.fits(size, pace.bytes_allowed(at))


def test_records_and_bytes_are_both_taken():
    pace = ShardPacer(0.0)
    pace.take(100, 200_000, 0.0)
    assert pace.records_allowed(0.0) == 400
    assert pace.bytes_allowed(0.0) == 512 * 1024 - 200_000
    pace.take(500, 0, 0.0)
    assert pace.records_allowed(0.0) == 0, "a debt allows none"


# --- A quota that has to be learnt ------------------------------------------------------------------


def saturate(pace, seconds, *, size=1):
    """Send as many records of `size` as the pace allows for some seconds. Return how many it were in the last one."""
    sent = 0
    for step in range(1, round(seconds * 50) + 1):
        now = step / 50
        count = min(pace.records_allowed(now), max(0, int(pace.bytes_allowed(now))) // size)
        pace.take(count, count * size, now)
        sent += count if step > (seconds - 1) * 50 else 0
    return sent


def test_a_known_quota_is_not_exceeded_however_many_records_wait():
    assert saturate(ShardPacer(0.0), 5.0) == pytest.approx(1_000, abs=20)


@pytest.mark.parametrize(("size", "usual"), [(1, 1_000), (10_000, 104)])
def test_an_unknown_quota_is_explored_while_records_or_bytes_are_held_back(size, usual):
    pace = ShardPacer(0.0, learns=True)
    assert saturate(pace, 4.0, size=size) > 3 * usual
    assert pace.rate_at(4.0) > 4_000


def test_an_unknown_quota_is_not_explored_by_a_sender_that_stays_below_it():
    pace = ShardPacer(0.0, learns=True)
    for step in range(1, 200):
        pace.take(25, 2_500, step / 20)
    assert pace.rate_at(10.0) == 1_000


def test_pressure_lasts_for_half_a_second():
    """A rate that grew on while nothing waits would not be what the shard is known to take."""
    pace = empty_pacer(learns=True)
    assert pace.rate_at(0.5) > 1_300
    reached = pace.rate_at(0.5)
    assert pace.rate_at(0.6) == reached
    assert pace.rate_at(60.0) == reached


def test_a_rate_that_has_grown_may_be_saved_up_for_half_a_second_too():
    pace = ShardPacer(0.0, learns=True)
    saturate(pace, 3.0)
    rate = pace.rate_at(10.0)
    assert rate > 3_000
    assert pace.records_allowed(10.0) == pytest.approx(rate / 2, abs=1)
    assert pace.bytes_allowed(10.0) == pytest.approx(rate / 1_000 * 2**20 / 2)


def test_a_lower_rate_may_still_send_what_was_saved_up():
    pace = ShardPacer(0.0)
    pace.take(500, 0, 0.0)
    for step in range(1, 60):
        pace.on_response(100, 60, step / 20, step / 20)
    assert pace.rate_at(3.0) < 900
    assert pace.records_allowed(100.0) == 500
