"""Thousands of histories of deliveries, each made from one seed: every record once, except predicted duplicates.

    pytest tests/chaos/test_histories.py --chaos-seeds 7,8 --chaos-histories 100000

The failure of a history contains its seed and its deliveries; `run_history("7/2/123")` runs it again.
"""

from collections import Counter

import pytest

from tests.chaos.histories import MAPPING_KINDS, run_history

#: The histories of a seed are divided into this many tests, of which the plain suite runs the first.
PARTS = 20


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch):
    """Encode objects without threads, so that a seed always makes the same history."""

    async def at_once(function, *arguments):
        return function(*arguments)

    monkeypatch.setattr("truckstream.batcher.storing.object_writer.asyncio.to_thread", at_once)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, PARTS))])
def test_every_record_is_stored_once_in_every_history(seed, part, histories):
    run, with_duplicates = Counter(), Counter()
    for number in range(histories // PARTS):
        history = run_history(f"{seed}/{part}/{number}")
        run[history.mapping] += 1
        with_duplicates[history.mapping] += history.has_duplicates
    assert sum(run.values()) == histories // PARTS
    assert not with_duplicates["repeats"] + with_duplicates["falls back"]
    if histories >= 2_000:
        assert set(run) == set(MAPPING_KINDS)
        assert with_duplicates["any"], "no history had the duplicates that the oracle predicts"
