"""A replay into the store is killed at every call, and run again: each record is stored once."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import obstore.store
import pytest

from tests.batcher.support import contents
from tests.data.replay.dying import DyingStore, Killed
from tests.data.replay.support import Strict, bad, fix, good, reject, stored
from truckstream import audit
from truckstream.batcher import Batcher
from truckstream.data.replay import replay

HOUR = 3_600
RECORDS = 24


async def rejected_store():
    """A store with rejected records of three hours, in objects of few."""
    store = obstore.store.MemoryStore()
    for start in range(0, RECORDS, 4):
        arrival = 1736951425.0 + start * HOUR / 8
        await reject(store, [(bad if n % 4 else good)(n, arrival=arrival) for n in range(start, start + 4)])
    return store


async def run(store, *, calls, after, repair=fix):
    """Run a replay that dies at a call; return whether it did not come so far."""
    dying = DyingStore(store, calls, after=after)
    try:
        report = await replay(dying, batcher=Batcher(dying, schema=Strict, batch_size=5), repair=repair)
    except Killed:
        return False
    assert not dying.has_died
    assert report.ok
    return True


@pytest.mark.parametrize("after", [False, True])
async def test_killed_at_each_call_it_goes_on(after):
    calls, done = 0, False
    while not done:
        calls += 1
        store = await rejected_store()
        originals = contents(store, "rejected")
        done = await run(store, calls=calls, after=after)
        assert await run(store, calls=10_000, after=False)
        assert stored(store) == Counter(range(RECORDS)), f"killed at call {calls}"
        assert contents(store, "rejected") == originals
        before = contents(store)
        assert await run(store, calls=10_000, after=False)
        assert contents(store) == before
    assert calls > 25  # the run has so many steps


async def test_killed_at_50_random_moments_with_another_repair_each_time(chance):

    def some(rejected):
        """Repair a random half of the records."""
        return fix(rejected) if chance.random() < 0.5 else None

    store = await rejected_store()
    for _ in range(50):
        dying = DyingStore(store, chance.randrange(1, 60), after=chance.random() < 0.5)
        with suppress(Killed):
            batcher = Batcher(dying, schema=Strict, batch_size=chance.randrange(1, 6))
            await replay(dying, batcher=batcher, repair=some)
        assert max(stored(store).values()) == 1
        verified = await audit(store)
        assert verified.exit_status == 0, verified.findings
    assert await run(store, calls=10_000, after=False)
    assert stored(store) == Counter(range(RECORDS))
