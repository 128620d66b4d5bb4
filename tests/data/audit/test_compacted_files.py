"""The audit of a compacted store: files are as their manifests state, and stand for deleted originals."""

from __future__ import annotations

from datetime import UTC, datetime

import obstore.store
import pytest
from msgspec.structs import replace

from tests.batcher.support import contents, record, truck
from truckstream import audit, compact
from truckstream.batcher import Batcher
from truckstream.data.compaction.manifests.manifest import Manifest


@pytest.fixture(params=["memory", "directory"])
async def store(request, tmp_path):
    """A store with two compacted hours: one event of four chained groups in each."""
    store = obstore.store.MemoryStore() if request.param == "memory" else obstore.store.LocalStore(tmp_path)
    batcher = Batcher(store, batch_size=2)
    for hour in range(2):
        numbers = range(8 * hour, 8 * hour + 8)
        arrival = 1736951425.0 + 3_600 * hour
        await batcher.process([record(truck(n), n, arrival=arrival) for n in numbers])
    assert len((await compact(store)).files) == 2
    return store


def files(store):
    return sorted(key for key in contents(store, "compacted") if key.endswith(".parquet"))


async def findings(store, **options):
    report = await audit(store, **options)
    return [(each.kind, each.keys) for each in report.findings]


async def test_nothing_is_wrong_with_a_compaction(store):
    report = await audit(store)
    assert report.findings == ()
    assert (report.compacted_files, report.deleted_originals) == (2, 0)


@pytest.mark.parametrize("quick", [False, True])
async def test_deleted_originals_are_in_their_file(store, quick):
    before = await audit(store)
    originals = [*contents(store, "sensor_data")]
    store.delete(originals[:-1])
    report = await audit(store, quick=quick)
    assert report.findings == ()
    assert (report.objects, report.deleted_originals) == (1, 7)
    assert report.shards == before.shards
    store.delete(originals[-1:])
    assert (await audit(store, quick=quick)).findings == ()


async def test_an_original_that_no_file_holds_is_missed(store):
    batcher = Batcher(store, batch_size=2)
    await batcher.process([record(truck(n), n, arrival=1736951425.0 + 7_200) for n in range(16, 24)])
    for truck_id in (b"TRUCK_003", b"TRUCK_019"):  # of the first hour, and of the one that is not compacted
        store.delete([key for key, content in contents(store, "sensor_data").items() if truck_id in content])
    assert [kind for kind, _ in await findings(store, settle=0)] == ["hole"]


async def test_a_file_that_is_missing_is_named(store):
    [first, _] = files(store)
    store.delete(first)
    assert await findings(store) == [("compacted", (first,))]


@pytest.mark.parametrize("quick", [False, True])
async def test_a_file_that_was_changed_is_named(store, quick):
    [first, second] = files(store)
    content = contents(store)[first]
    store.put(first, content[:-9] + bytes(8) + content[-1:])
    store.put(second, contents(store)[second][:-1])
    expected = [("compacted", (second,))] if quick else [("compacted", (first,)), ("compacted", (second,))]
    assert await findings(store, quick=quick) == expected


async def test_a_source_in_two_files_is_named(store):
    [first, second] = sorted(key for key in contents(store, "compacted") if "_manifests/" in key)
    manifests = contents(store)
    store.put(second.replace("_00001", "_00002"), manifests[first])
    assert await findings(store) == []  # the same file twice
    there, here = (Manifest.decode(key, manifests[key]) for key in (first, second))
    store.put(second, replace(here, sources=[*here.sources, there.sources[0]]).encode())
    found = await findings(store)
    assert [kind for kind, _ in found] == ["compacted"]
    assert set(found[0][1]) == {there.file, here.file}


async def test_only_the_files_of_the_time_are_checked(store):
    [first, _] = files(store)
    store.delete(first)
    assert await findings(store, since=datetime(2025, 1, 15, 15, tzinfo=UTC)) == []


async def test_lost_facts_of_deleted_originals_are_unclear(store):
    store.delete([*contents(store, "sensor_data")])
    facts = sorted(key for key in contents(store, "compacted") if "_sources/" in key)
    store.delete(facts[0])
    kinds = [kind for kind, _ in await findings(store)]
    assert "unreadable" in kinds
    assert (await audit(store)).exit_status == 2
