"""Unusual output without damage has no finding: other edges, lanes, aggregates, repeated numbers, versions."""

import shutil
from datetime import UTC, datetime

import obstore.store
import pytest

from tests.batcher.support import ARRIVAL, FIRST, Small, aggregate, record, small, trucks
from tests.data.audit.support import (
    attributes,
    change,
    event,
    fill_by_function,
    fill_by_worker,
    keys,
    kinds,
    verify,
)
from truckstream.batcher import Batcher
from truckstream.batcher.reading import aggregates
from truckstream.data.audit.shards import shard_chain


@pytest.fixture
def store():
    return obstore.store.MemoryStore()


async def test_a_delivery_with_other_edges_is_adopted(store):
    """The group of three has its own end, and the next one begins behind it."""
    await fill_by_function(store, event(0, 3), event(0, 11), event(11, 13), event(0, 16, rejected=[14]))
    report = await verify(store)
    assert report.findings == ()
    assert report.shards[0].valid == 15


@pytest.mark.parametrize(
    "options", [{}, {"format": "parquet", "schema": Small}, {"add_stream_fields": True, "schema": Small}]
)
async def test_lanes_of_a_shard_interleave(store, options):
    """With a ParallelizationFactor above 1 the ranges overlap. The contents show that no record is there twice."""
    records = event(0, 40, rejected=[7, 8])
    await fill_by_function(store, records[::2], records[1::2], **options)
    report = await verify(store)
    assert (report.findings, report.exit_status) == ((), 0)
    assert report.shards[0].interleaved > 3
    assert set(await kinds(store, quick=True)) == {"overlap"}


async def test_a_hole_in_a_lane_is_found(store):
    records = event(0, 40)
    await fill_by_function(store, records[::2], records[1::2])
    first = [key for key in keys(store) if attributes(store, key).get("previous-sequence-number")]
    store.delete(first[0])
    assert await kinds(store) == ["hole"]


async def test_lanes_of_a_time_begin_in_the_middle(store):
    """The first groups of both lanes name records before the time."""
    records = [record(b'{"n":%d}' % n, n, arrival=ARRIVAL + n) for n in range(60)]
    await fill_by_function(store, records[::2], records[1::2])
    report = await verify(store, since=datetime.fromtimestamp(ARRIVAL + 25, UTC))
    assert (report.findings, report.shards[0].unproven_links) == ((), 1)


async def test_a_lane_that_is_stored_twice_is_found(store):
    records = event(0, 40)
    await fill_by_function(store, records[::2], records[1::2], records[4::2])
    assert set(await kinds(store)) == {"overlap"}


async def test_formats_that_cannot_be_compared_count_as_an_overlap(store):
    await fill_by_function(store, event(0, 5), schema=Small)
    await fill_by_function(store, event(2, 7), schema=Small, format="parquet")
    [found] = (await verify(store)).findings
    assert found.kind == "overlap"
    assert "their formats cannot be compared" in found.text


async def test_parts_of_a_long_aggregate_are_one_number(store, monkeypatch):
    monkeypatch.setattr(aggregates, "SLICE", 20)
    users = [b'{"n":%d}' % n if n % 7 else b"[]" for n in range(70)]
    records = [small(0), record(aggregate(*users), 1), *event(2, 9)]
    await fill_by_function(store, records)
    for quick in (False, True):
        report = await verify(store, quick=quick)
        assert (report.findings, report.shards[0].unproven_links) == ((), 0)
    parts = [key for key in keys(store) if attributes(store, key).get("kinesis-records") == "1"]
    store.delete(parts[0])
    assert set(await kinds(store)) == {"half_group"}
    store.delete(next(key for key in keys(store, "rejected") if attributes(store, key)["kinesis-records"] == "1"))
    assert set(await kinds(store)) == {"hole"}


@pytest.mark.parametrize("lost", [0, 5, 10, 15, 20, 25])
@pytest.mark.parametrize("is_end", [False, True])
async def test_a_part_of_a_long_aggregate_that_is_missing_is_a_hole(store, lost, is_end):
    after = [] if is_end else event(5, 9)
    await fill_by_function(store, [*event(0, 4), record(aggregate(*[b'{"n":1}'] * 28), 4), *after])
    assert await kinds(store) == []
    parts = {attributes(store, key).get("aggregate-part"): key for key in keys(store)}
    assert set(parts) - {None} == {f"{start}/28" for start in range(0, 28, 5)}
    store.delete(parts[f"{lost}/28"])
    findings = (await verify(store)).findings
    assert {each.kind for each in findings} == {"hole"}
    assert f"the records {lost} to {min(lost + 4, 27)} of the aggregate {FIRST + 4}" in findings[-1].text


async def test_a_part_that_does_not_name_its_place_proves_nothing(store):
    """Objects of earlier versions do not."""
    await fill_by_function(store, [*event(0, 4), record(aggregate(*[b'{"n":1}'] * 28), 4), *event(5, 9)])
    for key in keys(store):
        kept = {name: value for name, value in attributes(store, key).items() if name != "aggregate-part"}
        body = bytes(store.get(key).bytes())
        store.delete(key)
        store.put(key, body, attributes=kept)
    assert await kinds(store) == []


async def test_repeated_numbers(store):
    numbers = [0, 1, 1, 2, 3, 3, 3, 4]
    records = [record(b'{"n":%d}' % n, n, sequence=str(FIRST + number)) for n, number in enumerate(numbers)]
    await fill_by_function(store, records, batch_size=3)
    assert await kinds(store) == []


async def test_an_event_that_ends_between_two_records_of_one_number(store):
    """The ranges touch, and the contents differ."""
    records = [record(b'{"n":%d}' % n, n, sequence=str(FIRST + number)) for n, number in enumerate([0, 1, 1, 2])]
    await fill_by_function(store, records[:2], records[2:])
    report = await verify(store)
    assert (report.findings, report.shards[0].interleaved) == ((), 1)


async def test_several_shards_and_streams(store):
    other = [each | {"eventID": each["eventID"].replace("000000000000:", "000000000001:")} for each in event(0, 12)]
    stream = [each | {"eventSourceARN": each["eventSourceARN"] + "2"} for each in event(0, 12)]
    await fill_by_function(store, event(0, 12), other, stream)
    report = await verify(store)
    assert report.findings == ()
    assert [(each.stream[-1], each.shard[-1]) for each in report.shards] == [("m", "0"), ("m", "1"), ("2", "0")]


async def test_folders_by_the_time_in_the_records(store):
    """The order of the keys is not that of the records."""
    hours = [{"timestamp": f"2025-01-15T{(7 * n) % 24:02}:00:00Z"} for n in range(6)]
    records = [each for n, fields in enumerate(hours) for each in _truck(n, **fields)]
    await fill_by_function(store, records, batch_size=1, schema=None, layout="hive", event_time="timestamp")
    report = await verify(store)
    assert (report.findings, report.shards[0].proven_links) == ((), 5)


def _truck(n, **fields):
    from tests.batcher.support import truck  # noqa: PLC0415

    return [record(truck(n, **fields), n)]


async def test_own_prefixes(store):
    await fill_by_function(store, trucks(3), prefix="lake/raw", rejected_prefix="bad", schema=None)
    report = await verify(store, prefix="lake/raw", rejected_prefix="bad")
    assert (report.objects, report.findings) == (1, ())


async def test_a_directory_of_an_earlier_version_goes_on(tmp_path):
    """Its objects have no metadata. What is stored since is proved."""
    await fill_by_function(tmp_path.as_uri(), event(0, 12, rejected=[3]))
    shutil.rmtree(tmp_path / ".truckstream")
    await fill_by_function(tmp_path.as_uri(), event(12, 30, rejected=[15]))
    report = await verify(tmp_path)
    assert (report.findings, report.exit_status) == ((), 0)
    assert (report.without_metadata, report.shards[0].groups) == (4, 4)


async def test_a_partner_without_metadata_is_no_proof_and_no_damage(tmp_path):
    """A redelivery had found the main object by its content, and stored the second one."""
    await fill_by_function(tmp_path.as_uri(), event(0, 5, rejected=[3]))
    (left,) = (tmp_path / ".truckstream/metadata/rejected").iterdir()
    left.unlink()
    report = await verify(tmp_path)
    assert (report.findings, report.without_metadata) == ((), 1)


async def test_a_directory_is_damaged_like_a_bucket(tmp_path):
    await fill_by_worker(obstore.store.LocalStore(tmp_path), 23)
    store = obstore.store.LocalStore(tmp_path)
    by_name = sorted((tmp_path / "sensor_data").iterdir())
    by_name[0].write_bytes(by_name[0].read_bytes().replace(b'"n":', b'"m":'))
    assert await kinds(store) == ["damaged"]


async def test_a_time_begins_in_the_middle_of_the_chain(store):
    await fill_by_worker(store, 23)
    since = (await verify(store)).shards[0]
    assert since.begins_after is None
    for key in keys(store)[:2]:
        store.delete(key)
    report = await verify(store)
    assert report.findings == ()
    assert report.shards[0].begins_after == str(FIRST + 10)


async def test_many_groups_take_little_memory(store, monkeypatch):
    """Only the last ranges are remembered; a link to a group before them counts as proved."""
    monkeypatch.setattr(shard_chain, "MOST_RUNS", 3)
    await fill_by_function(store, *(event(n, n + 2) for n in range(0, 40, 4)))
    report = await verify(store)
    assert (report.findings, report.shards[0].unproven_links) == ((), 9)


async def test_more_lines_than_records_are_damage(store):
    await fill_by_worker(store, 5)
    key = keys(store)[0]
    store.put(key, bytes(store.get(key).bytes()), attributes=attributes(store, key) | {"records": "4"})
    assert await kinds(store) == ["damaged"]


@pytest.mark.parametrize("name", ["first-sequence-number", "lines"])
async def test_metadata_that_is_none(store, name):
    await fill_by_worker(store, 5)
    key = keys(store)[0]
    body = bytes(store.get(key).bytes())
    store.put(key, body, attributes=attributes(store, key) | {name: "x"})
    assert (await verify(store)).without_metadata_keys == (key,)


async def test_an_object_without_a_digest_that_cannot_be_read(store):
    await fill_by_worker(store, 5, compression="gzip")
    key = keys(store)[0]
    old = {name: value for name, value in attributes(store, key).items() if name not in {"sha256", "size"}}
    store.put(key, b"no gzip", attributes=old)
    assert await kinds(store) == ["damaged"]


async def test_a_changed_parquet_object_of_an_earlier_version_has_another_seal(store):
    await Batcher(store, schema=Small, format="parquet").process(event(0, 5))
    key = keys(store)[0]
    old = {name: value for name, value in attributes(store, key).items() if name not in {"sha256", "size"}}
    body = bytes(store.get(key).bytes())
    store.put(key, body, attributes=old)
    assert await kinds(store) == []
    change(store, key, body[:50] + bytes([body[50] ^ 1]) + body[51:])
    assert await kinds(store) == ["damaged"]
