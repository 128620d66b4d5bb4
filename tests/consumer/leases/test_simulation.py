"""Thousands of histories of workers, reshards and faults on virtual time, each made from one seed.

    pytest tests/consumer/leases/test_simulation.py --chaos-seeds 7,8 --chaos-histories 10000

In each history a checkpoint never falls back, no record is skipped, no two workers have a shard at the same time,
parents end before their children begin, and one lease in twenty moves at a time. Some time after its last fault every
shard is read, the loads are equal and nothing moves. A failure names its history; `run_history("7/2/123")` runs it
again.
"""

from collections import Counter

import pytest

from tests.consumer.simulation.history import run_history

#: The histories of a seed are divided into this many tests, of which the plain suite runs the first.
PARTS = 40


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, PARTS))])
def test_leases_survive_every_history(seed, part, histories):
    events = Counter()
    for number in range(histories // PARTS):
        events += run_history(f"{seed}/{part}/{number}")
    if histories >= 2_000:
        happened = {"join", "leave", "kill", "pause", "split", "merge", "throttled", "lost", "down", "refused late"}
        assert not happened - set(events)


def test_a_history_is_the_same_each_time():
    assert run_history("1/0/7") == run_history("1/0/7")
