"""Each damage to real output is found and named, and undamaged output has no finding."""

import obstore.store
import pytest

from tests.batcher.support import contents
from tests.data.audit.support import (
    attributes,
    change,
    copy,
    event,
    fill_by_function,
    fill_by_worker,
    keys,
    kinds,
    short,
    verify,
)


@pytest.fixture
def store():
    return obstore.store.MemoryStore()


async def test_undamaged_output_of_the_function(store):
    await fill_by_function(store, event(0, 12, rejected=[3]), event(12, 20))
    report = await verify(store)
    assert (report.findings, report.exit_status, report.objects) == ((), 0, 6)
    [shard] = report.shards
    assert (shard.groups, shard.valid, shard.rejected) == (5, 19, 1)
    assert (shard.proven_links, shard.unproven_links) == (3, 1)
    assert [(short(each.after), short(each.first_sequence_number)) for each in shard.unproven] == [(11, 12)]
    assert report.rejected_by_reason == {"wrong_type": 1}


async def test_undamaged_output_of_a_worker(store):
    await fill_by_worker(store, 23, rejected=[3, 4])
    report = await verify(store)
    assert (report.findings, report.exit_status) == ((), 0)
    [shard] = report.shards
    assert (shard.groups, shard.valid, shard.rejected, shard.unproven_links) == (5, 21, 2, 0)
    assert (short(shard.first_sequence_number), short(shard.last_sequence_number)) == (1, 23)


@pytest.mark.parametrize("quick", [False, True])
async def test_a_deleted_object(store, quick):
    await fill_by_worker(store, 23)
    store.delete(keys(store)[2])
    [found] = (await verify(store, quick=quick)).findings
    assert (found.kind, found.severity) == ("hole", "problem")
    assert (short(found.first_sequence_number), short(found.last_sequence_number)) == (10, 15)
    assert found.keys == (keys(store)[2],)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(("prefix", "other"), [("rejected", "rejected"), ("sensor_data", "valid")])
async def test_a_deleted_object_of_a_group_with_two(store, prefix, other, quick):
    await fill_by_worker(store, 23, rejected=[7, 8])
    [rejected] = keys(store, "rejected")
    [valid] = [key for key in keys(store) if key.endswith(rejected.partition("/")[2])]
    store.delete(rejected if prefix == "rejected" else valid)
    [found] = (await verify(store, quick=quick)).findings
    assert found.kind == "half_group"
    assert f"{2 if other == 'rejected' else 3} {other} records is missing" in found.text
    assert (short(found.first_sequence_number), short(found.last_sequence_number)) == (6, 10)


@pytest.mark.parametrize("quick", [False, True])
async def test_an_object_that_is_there_twice(store, quick):
    await fill_by_worker(store, 23)
    key = keys(store)[1]
    copy(store, key, key.replace("batch_2025", "batch_2025").replace(".json", "x.json"))
    report = await verify(store, quick=quick)
    assert [each.kind for each in report.findings] == ["duplicate"]
    assert key in report.findings[0].keys
    assert len(report.findings[0].keys) == 2


@pytest.mark.parametrize("quick", [False, True])
async def test_a_truncated_object(store, quick):
    await fill_by_worker(store, 23)
    key = keys(store)[1]
    change(store, key, bytes(store.get(key).bytes())[:-3])
    [found] = (await verify(store, quick=quick)).findings
    assert (found.kind, found.keys) == ("damaged", (key,))


@pytest.mark.parametrize("prefix", ["sensor_data", "rejected"])
async def test_an_edited_record(store, prefix):
    await fill_by_worker(store, 23, rejected=[7])
    key = keys(store, prefix)[0]
    body = bytes(store.get(key).bytes())
    change(store, key, body.replace(b'"n":2', b'"n":3').replace(b"[7]", b"[8]"))
    [found] = (await verify(store)).findings
    assert (found.kind, found.keys) == ("damaged", (key,))


async def test_an_object_that_lost_its_metadata(store):
    """Its place in the chain is empty. That is no proof of damage, because it may hold the records."""
    await fill_by_worker(store, 23)
    key = keys(store)[1]
    store.put(key, bytes(store.get(key).bytes()))
    report = await verify(store)
    [found] = report.findings
    assert (found.kind, found.severity, report.exit_status) == ("hole", "unclear", 2)
    assert f"unless {key} holds them" in found.text
    assert report.without_metadata_keys == (key,)


async def test_a_lost_batch(store):
    """All groups between two are missing."""
    await fill_by_worker(store, 43)
    for key in keys(store)[3:6]:
        store.delete(key)
    [found] = (await verify(store)).findings
    assert found.kind == "hole"
    assert (short(found.first_sequence_number), short(found.last_sequence_number)) == (15, 30)


async def test_a_mapping_that_was_created_again_and_began_earlier(store):
    await fill_by_function(store, event(0, 20))
    await fill_by_function(store, event(8, 20))
    report = await verify(store)
    assert report.exit_status == 1
    overlaps = [(short(each.first_sequence_number), short(each.last_sequence_number)) for each in report.findings]
    assert overlaps == [(8, 9), (10, 12), (13, 14), (15, 17), (18, 19)]
    assert {each.kind for each in report.findings} == {"overlap"}
    assert "has 2 records that" in report.findings[0].text


async def test_an_overlap_without_reading_contents_names_the_other_cause(store):
    await fill_by_function(store, event(0, 20), event(8, 20))
    report = await verify(store, quick=True)
    assert {each.kind for each in report.findings} == {"overlap"}
    assert "ParallelizationFactor above 1" in report.findings[0].text


async def test_another_schema_stores_the_same_group_again(store):
    """The records are judged differently, so that the objects of the first delivery are not recognised."""
    await fill_by_function(store, event(0, 5))
    await fill_by_function(store, event(0, 5), schema=int)
    assert await kinds(store) == ["overlap"]


async def test_an_object_under_a_name_of_another_time(store):
    await fill_by_worker(store, 23)
    key = keys(store)[1]
    copy(store, key, key.replace("2025-01-15", "2025-01-16"))
    store.delete(key)
    assert set(await kinds(store)) == {"out_of_order"}


@pytest.mark.parametrize("quick", [False, True])
async def test_objects_of_an_earlier_version_are_counted(store, quick):
    """They have no proof, and the groups after them have."""
    await fill_by_worker(store, 23)
    for key in keys(store)[:2]:
        old = {"sha256", "size", "previous-sequence-number"}
        rest = {name: value for name, value in attributes(store, key).items() if name not in old}
        store.put(key, bytes(store.get(key).bytes()), attributes=rest)
    report = await verify(store, quick=quick)
    assert (report.findings, report.exit_status) == ((), 0)
    assert report.without_checksum_keys == tuple(sorted(keys(store)[:2]))
    assert (report.shards[0].proven_links, report.shards[0].unproven_links) == (3, 1)


async def test_lines_of_an_object_of_an_earlier_version_are_counted(store):
    await fill_by_worker(store, 23)
    key = keys(store)[1]
    old = {name: value for name, value in attributes(store, key).items() if name not in {"sha256", "size"}}
    store.put(key, b"".join(bytes(store.get(key).bytes()).splitlines(keepends=True)[:-1]), attributes=old)
    [found] = (await verify(store)).findings
    assert (found.kind, found.text) == ("damaged", f"{key} is damaged: 4 records, and 5 were stored")


async def test_a_store_without_any_metadata_proves_nothing(store):
    await fill_by_worker(store, 23)
    for key, body in contents(store).items():
        store.put(key, body)
    report = await verify(store)
    assert ([each.kind for each in report.findings], report.exit_status) == (["no_metadata"], 2)


async def test_what_is_missing_beside_a_new_object_may_be_under_way(store):
    await fill_by_worker(store, 23, rejected=[7])
    store.delete(keys(store)[3])
    store.delete(keys(store, "rejected")[0])
    report = await verify(store, settle=60)
    assert {each.kind for each in report.findings} == {"hole", "half_group"}
    assert {each.severity for each in report.findings} == {"unclear"}
    assert report.exit_status == 2


async def test_an_empty_store(store):
    report = await verify(store)
    assert (report.objects, report.shards, report.exit_status) == (0, (), 2)
    assert [each.kind for each in report.findings] == ["no_objects"]
