"""Adaptive polling, on a clock of its own."""

import pytest

from tests.consumer.reading.support import page, plain
from truckstream.consumer.reading.pacing.polling import Polling


def poll(stored_at, until, *, delay=0.02):
    """Poll a shard until a time; return the times of the calls, and the delay of each record until its delivery."""
    polling, now, read = Polling(0.0), 0.0, 0
    calls, delays = [], []
    while (now := max(now, polling.next_call())) < until:
        calls.append(now)
        served = now + delay / 2
        new = [at for at in stored_at[read:] if at <= served]
        read += len(new)
        delays += [now + delay - at for at in new]
        polling.on_page(page([plain(1) for _ in new]), now, 10_000)
        now += delay
    return calls, delays


@pytest.mark.parametrize("gap", [0.01, 0.1, 0.3, 1.0, 2.1])
def test_while_records_come_each_is_delivered_within_250_ms(gap):
    stored_at = [0.137 + gap * index for index in range(int(60 / gap))]
    calls, delays = poll(stored_at, 61.0)
    assert len(delays) == len(stored_at)
    assert max(delays) <= 0.25
    assert len(calls) / 61.0 <= 5


def test_an_idle_shard_is_asked_once_a_second():
    calls, _ = poll([], 120.0)
    assert len([at for at in calls if at > 20.0]) / 100.0 < 1.2


def test_the_first_record_after_a_pause_waits_for_a_second_at_most_and_the_next_for_250_ms():
    _, [first, *others] = poll([60.5, 61.6, 61.9, 63.0], 70.0)
    assert first <= 1.03
    assert max(others) <= 0.25


def test_the_first_call_is_made_at_once():
    assert Polling(7.0).next_call() == 7.0


@pytest.mark.parametrize(
    ("records", "behind"), [(3, 0), (2, 5_000), (0, 5_000)], ids=["full", "behind", "a gap without records"]
)
def test_the_next_page_is_due_at_once_while_more_records_are_stored(records, behind):
    polling = Polling(0.0)
    polling.on_page(page([plain(1)] * records, behind=behind), 3.0, 3)
    assert polling.next_call() == 3.0
