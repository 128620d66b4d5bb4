"""The limit on requests in flight: how trouble lowers it, and how it recovers."""

import math

import pytest

from truckstream.producer.pacing.concurrency_limit import ConcurrencyLimit
from truckstream.producer.pacing.retry_backoff import RetryBackoff


class NoJitter:
    def uniform(self, _low, high):
        return high


@pytest.fixture
def concurrency():
    return ConcurrencyLimit(100, RetryBackoff(NoJitter()))


def responses(concurrency, count, *, now=0.0, seconds=0.02, fills_limit=True):
    for _ in range(count):
        concurrency.on_response(now - seconds, now, fills_limit=fills_limit)


def test_it_grows_by_one_for_each_response_until_the_first_trouble(concurrency):
    assert concurrency.limit == 10
    responses(concurrency, 30)
    assert concurrency.limit == 40


def test_it_does_not_grow_while_it_is_not_reached(concurrency):
    responses(concurrency, 30, fills_limit=False)
    assert concurrency.limit == 10


def test_it_never_passes_its_cap(concurrency):
    responses(concurrency, 1_000)
    assert concurrency.limit == 100


def test_a_failure_halves_it_once_for_all_requests_that_were_in_flight(concurrency):
    for sent_at in (0.0, 0.5, 0.9):
        concurrency.on_failure(sent_at, 1.0)
    assert concurrency.limit == 5
    concurrency.on_failure(1.1, 1.2)
    assert concurrency.limit == 2


def test_after_trouble_it_grows_by_one_a_round(concurrency):
    concurrency.on_failure(0.0, 0.1)
    responses(concurrency, 5, now=0.2)
    assert concurrency.limit == 5
    responses(concurrency, 1, now=0.2)
    assert concurrency.limit == 6


def test_a_response_that_takes_much_longer_than_usual_lowers_it(concurrency):
    responses(concurrency, 20, fills_limit=False)
    responses(concurrency, 1, now=1.0, seconds=0.5)
    assert concurrency.limit == 8


def test_a_little_slower_is_not_slow(concurrency):
    responses(concurrency, 20, fills_limit=False)
    responses(concurrency, 1, now=1.0, seconds=0.1)
    assert concurrency.limit == 11


@pytest.mark.parametrize(
    ("usual", "seconds", "is_slow"),
    [
        (0.02, 0.11, False),  # a busy event loop looks like a slow server
        (0.02, 0.13, True),
        (1.0, 1.9, False),  # a body of 10 MiB takes longer than one of 10 KiB
        (1.0, 2.1, True),
    ],
)
def test_slow_is_more_than_twice_the_usual_time_and_a_tenth_of_a_second_more(concurrency, usual, seconds, is_slow):
    responses(concurrency, 20, seconds=usual, fills_limit=False)
    responses(concurrency, 1, now=10.0, seconds=seconds, fills_limit=False)
    assert (concurrency.limit < 10) is is_slow


@pytest.mark.parametrize(("seconds", "is_slow"), [(0.8, False), (0.85, True)])
def test_a_service_that_becomes_faster_is_soon_expected_to_be_fast(concurrency, seconds, is_slow):
    """After three responses in 0.1 s, where 1 s was usual, 0.4 s are usual."""
    responses(concurrency, 1, seconds=1.0, fills_limit=False)
    responses(concurrency, 3, seconds=0.1, fills_limit=False)
    responses(concurrency, 1, now=10.0, seconds=seconds, fills_limit=False)
    assert (concurrency.limit < 10) is is_slow


def test_failures_with_a_response_between_them_are_not_in_a_row(concurrency):
    for start in (0.0, 10.0, 20.0):
        for now in (start + 1, start + 2):
            concurrency.on_failure(now, now)
            assert concurrency.opens_at(0, now) == now
        responses(concurrency, 1, now=start + 3, fills_limit=False)


def test_a_small_cap_is_kept():
    for cap in (1, 3):
        concurrency = ConcurrencyLimit(cap, RetryBackoff(NoJitter()))
        responses(concurrency, 5)
        assert concurrency.limit == cap
    concurrency = ConcurrencyLimit(1, RetryBackoff(NoJitter()))
    concurrency.on_failure(0.0, 0.1)
    assert concurrency.limit == 1


def test_a_service_that_stays_slow_becomes_usual(concurrency):
    responses(concurrency, 20)
    now, limits = 10.0, []
    for _ in range(200):
        now += 0.5
        responses(concurrency, 1, now=now, seconds=0.5)
        limits.append(concurrency.limit)
    assert min(limits) == 2
    assert 30 < limits.index(3, limits.index(2)) < 45, "after some dozens of responses"
    assert limits[-1] > 5


def test_one_stalled_request_leaves_room_for_another(concurrency):
    for second in range(20):
        concurrency.on_failure(second, second + 0.5)
        responses(concurrency, 1, now=second + 0.9, fills_limit=False)
    assert concurrency.limit == 2
    assert concurrency.opens_at(1, 30.0) == 30.0
    assert concurrency.opens_at(2, 30.0) == math.inf


def test_failures_in_a_row_pause_requests_and_a_response_ends_the_pause(concurrency):
    pauses, now = [], 0.0
    for _ in range(12):
        concurrency.on_failure(now, now)
        pauses.append(concurrency.opens_at(0, now) - now)
        now = concurrency.opens_at(0, now) + 0.001
    assert pauses[:5] == pytest.approx([0.0, 0.0, 0.1, 0.2, 0.4])
    assert max(pauses) == pytest.approx(5.0)
    assert concurrency.opens_at(1, now) == math.inf
    responses(concurrency, 1, now=now)
    assert concurrency.opens_at(1, now) == now
    assert repr(concurrency) == "<ConcurrencyLimit 2 of 100>"
