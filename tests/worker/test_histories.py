"""Seeded histories of kills, zombies, hand-overs and failures: each record is stored exactly once.

A failure prints its seed: `uv run pytest -n0 tests/worker/test_histories.py --worker-seeds 4711` plays it alone.
"""

import logging

import pytest

from tests.worker.histories import History

#: Histories that the plain suite plays. The others are slow, and are divided into so many tests.
FEW = 40
PARTS = 8


@pytest.fixture(autouse=True)
def _quiet():
    """Leave out the log lines of the histories, which nobody reads."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def chosen(pytestconfig):
    """The seeds to play alone."""
    return [int(seed) for seed in pytestconfig.option.worker_seeds.split(",") if seed]


def play(seeds):
    """Play histories; return them, once none has failed."""
    histories, failed = [], {}
    for seed in seeds:
        history = History(seed)
        histories.append(history)
        try:
            history.play()
        except Exception as error:  # noqa: BLE001 - every failure is reported with its seed
            failed[seed] = f"{type(error).__name__}: {error} (workers ended by {', '.join(history.ends)})"
    assert not failed, "\n".join(f"seed {seed}: {reason}" for seed, reason in failed.items())
    return histories


def test_each_record_is_stored_exactly_once_whatever_happens(chosen):
    """Every end, announcements that a successor finishes, objects that it finds, and late requests occur."""
    histories = play(chosen or range(FEW))
    if not chosen:
        assert {end for each in histories for end in each.ends} == {"hand-over", "kill", "zombie", "lease lost"}
        assert sum(each.finished_announcements for each in histories) > 20
        assert sum(each.landed_late for each in histories) > 5


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_more_histories(part, chosen, pytestconfig):
    if chosen:
        pytest.skip("single histories were chosen")
    play(range(FEW + part, pytestconfig.option.worker_histories, PARTS))
