"""Thousands of histories of deliveries, each made from one seed: every record once, or its duplicate is explained.

    pytest tests/chaos/test_histories.py --chaos-seeds 7,8 --chaos-histories 100000

A history that fails is printed with its seed and its deliveries; `live("7/2/123")` lives it again.
"""

from collections import Counter

import pytest

from tests.chaos.histories import CUTS, live

#: So many parts, for so many processes.
PARTS = 4


@pytest.fixture(autouse=True)
def _in_this_thread(monkeypatch):
    """What is encoded in a thread would make a history another one each time."""

    async def at_once(function, *arguments):
        return function(*arguments)

    monkeypatch.setattr("truckstream.batcher.storing.object_writer.asyncio.to_thread", at_once)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, PARTS))])
def test_every_record_once_whatever_lambda_and_the_store_do(seed, part, histories):
    lived, with_duplicates = Counter(), Counter()
    for number in range(histories // PARTS):
        history = live(f"{seed}/{part}/{number}")
        lived[history.cut] += 1
        with_duplicates[history.cut] += history.has_duplicates
    assert sum(lived.values()) == histories // PARTS
    assert not with_duplicates["repeats"] + with_duplicates["falls back"]
    if histories >= 2_000:
        assert set(lived) == set(CUTS)
        assert with_duplicates["any"], "no history came near the duplicates that the oracle names"
