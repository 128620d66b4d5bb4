"""The histories that try the batcher and the worker, audited: a finding for each duplicate, and none without one."""

import asyncio
import logging
from collections import Counter

import obstore.store
import pytest

from tests.chaos.histories import run_history
from tests.data.audit.support import verify
from tests.worker.histories import History


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    """Log nothing, and encode objects without threads, so that a seed always makes the same history."""

    async def at_once(function, *arguments):
        return function(*arguments)

    monkeypatch.setattr("truckstream.batcher.storing.object_writer.asyncio.to_thread", at_once)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def audited(scripted, foreign=()):
    """Return the report about a scripted store's objects, without those that are not the batcher's."""
    store = obstore.store.MemoryStore()
    for key, (body, attributes) in scripted.objects.items():
        if key not in foreign:
            store.put(key, body, attributes=attributes)
    return asyncio.run(verify(store))


#: The first part is played always, the others with `--all`.
PARTS = [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, 4))]


@pytest.mark.parametrize("part", PARTS)
def test_workers_that_are_killed_leave_a_chain_without_a_hole(part):
    count = 0
    for seed in range(part, 120, 4):
        history = History(seed)
        history.play()
        if history.store.metadata:
            report = audited(history.store)
            [shard] = report.shards
            assert (report.findings, shard.unproven_links) == ((), 0), seed
            assert shard.valid + shard.rejected == len(history.records)
            count += 1
    assert count > 10


@pytest.mark.parametrize("part", PARTS)
def test_deliveries_have_a_finding_if_and_only_if_records_are_stored_twice(part):
    """With numbers as Kinesis makes them. Where they are repeated or missing, other records may look the same."""
    counts = Counter()
    for number in range(80):
        history = run_history(f"verify/{part}/{number}")
        is_plain = history.shard.numbering == "ascending"
        if history.store.metadata and (is_plain or history.mapping in {"repeats", "falls back"}):
            report = audited(history.store, history.foreign)
            assert bool(report.findings) == history.has_duplicates, f"{report.findings}\n{history!r}"
            counts[history.has_duplicates] += 1
    assert counts[False] > 10
    assert counts[True] > 0
