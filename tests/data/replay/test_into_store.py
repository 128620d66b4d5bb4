"""Rejected records are replayed into the store, each once."""

from __future__ import annotations

import json
from collections import Counter

import obstore.store
import pytest

from tests.batcher.support import contents, number, record
from tests.data.replay.support import Lenient, Strict, bad, fix, good, reject, stored
from truckstream.batcher import Batcher
from truckstream.data.replay import replay


@pytest.fixture(params=["memory", "directory"])
def store(request, tmp_path):
    return obstore.store.MemoryStore() if request.param == "memory" else obstore.store.LocalStore(tmp_path)


async def test_repaired_records_are_stored_beside_the_valid_ones(store):
    await reject(store, [good(n) if n % 3 else bad(n) for n in range(30)])
    assert stored(store) == Counter(n for n in range(30) if n % 3)
    report = await replay(store, schema=Strict, repair=fix)
    assert stored(store) == Counter(range(30))
    assert (report.replayed, report.already_replayed, report.still_refused, report.unknown) == (10, 0, 0, 0)
    assert report.ok


async def test_a_second_run_changes_nothing(store):
    await reject(store, [bad(n) for n in range(30)])
    await replay(store, schema=Strict, repair=fix)
    before = contents(store)
    report = await replay(store, schema=Strict, repair=fix)
    assert contents(store) == before
    assert (report.replayed, report.already_replayed, report.ok) == (0, 30, True)


async def test_a_changed_schema_accepts_records_as_they_are(store):
    await reject(store, [bad(n) for n in range(5)])
    report = await replay(store, schema=Lenient)
    assert (report.replayed, report.ok) == (5, True)
    assert [line for body in contents(store, "sensor_data").values() for line in body.splitlines()] == [
        b'{"n": "%d"}' % n for n in range(5)
    ]


async def test_records_that_are_not_repaired_stay_refused(store):
    await reject(store, [bad(n) for n in range(6)] + [record(b"no JSON", 6)])
    before = contents(store)

    def repair(rejected):
        if rejected.reason == "malformed_json":
            return None
        return rejected.data if int(json.loads(rejected.data)["n"]) % 2 else fix(rejected)

    report = await replay(store, schema=Strict, repair=repair)
    assert stored(store) == Counter([0, 2, 4])
    assert report.refused == {"malformed_json": 1, "wrong_type": 3}
    assert not report.ok
    assert before.items() <= contents(store).items()  # the originals stay
    report = await replay(store, schema=Strict, repair=fix)
    assert stored(store) == Counter(range(6))
    assert (report.replayed, report.already_replayed) == (3, 3)
    assert report.refused == {"repair_failed": 1}


async def test_few_rejected_records_of_many_objects_make_few_objects(store):
    for n in range(0, 40, 2):
        await reject(store, [good(n), bad(n + 1)])
    assert len(contents(store, "rejected")) == 20
    before = contents(store, "sensor_data")
    await replay(store, batcher=Batcher(store, schema=Strict, batch_size=15), repair=fix)
    new = contents(store, "sensor_data").keys() - before.keys()
    assert len(new) == 2
    assert stored(store) == Counter(range(40))


async def test_a_dry_run_writes_nothing_and_gives_the_same_account(store):
    await reject(store, [bad(n) for n in range(5)] + [record(b"{", 5)])
    before = contents(store)
    dry = await replay(store, schema=Strict, repair=fix, dry_run=True)
    assert contents(store) == before
    wet = await replay(store, schema=Strict, repair=fix)
    assert (dry.dry_run, wet.dry_run) == (True, False)
    assert (dry.replayed, dry.refused) == (wet.replayed, wet.refused) == (5, {"repair_failed": 1})


async def test_the_metadata_names_the_origin():
    store = obstore.store.MemoryStore()
    await reject(store, [good(0), bad(1), bad(2)])
    before = contents(store, "sensor_data")
    await replay(store, schema=Strict, repair=fix)
    (key,) = contents(store, "sensor_data").keys() - before.keys()
    metadata = {str(name): value for name, value in store.get(key).attributes.items()}
    assert metadata["stream"].endswith(":stream/truck-sensor-stream#replayed-2025-01-15T14_00001")
    assert (metadata["first-sequence-number"], metadata["last-sequence-number"]) == (number(1), number(2))
