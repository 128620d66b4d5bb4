"""Seeded histories of kills, zombies, hand-overs and failures: each record is stored exactly once.

A failure prints its seed: `uv run pytest -n0 tests/worker/test_histories.py --worker-seeds 4711` plays it alone.
"""

import logging

import pytest

from tests.worker.histories import History

CHUNKS = 8


def seeds_of(config, chunk):
    if chosen := config.option.worker_seeds:
        return [int(seed) for seed in chosen.split(",")] if chunk == 0 else []
    return range(chunk, config.option.worker_histories, CHUNKS)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_each_record_is_stored_exactly_once(chunk, pytestconfig):
    logging.disable(logging.CRITICAL)
    failed = {}
    for seed in seeds_of(pytestconfig, chunk):
        history = History(seed)
        try:
            history.play()
        except Exception as error:  # noqa: BLE001 - every failure is reported with its seed
            failed[seed] = f"{type(error).__name__}: {error} (workers ended by {', '.join(history.ends)})"
    logging.disable(logging.NOTSET)
    assert not failed, "\n".join(f"seed {seed}: {reason}" for seed, reason in failed.items())


def test_the_histories_contain_what_they_are_for():
    """Every end, announcements that a successor finishes, objects that it finds, and late requests occur."""
    logging.disable(logging.CRITICAL)
    ends, announced, late = set(), 0, 0
    for seed in range(40):
        history = History(seed)
        history.play()
        ends.update(history.ends)
        announced += history.finished_announcements
        late += history.landed_late
    logging.disable(logging.NOTSET)
    assert ends == {"hand-over", "kill", "zombie", "lease lost"}
    assert announced > 20
    assert late > 5
