"""The objects are compared with the records of the stream one by one."""

import asyncio

import obstore.store
import pytest

from tests.batcher.support import ARN, ARRIVAL, SHARD, Small, aggregate, number, record
from tests.data.audit.support import (
    attributes,
    change,
    copy,
    event,
    fill_by_function,
    fill_by_worker,
    keys,
    short,
)
from truckstream.data.audit.objects.inventory import Inventory
from truckstream.data.audit.objects.object_scan import ObjectScan
from truckstream.data.audit.shards.shard_audit import GroupReader
from truckstream.data.audit.stream import stream_reading
from truckstream.data.audit.stream.stream_reading import StreamReading
from truckstream.data.objects.catalog import Catalog
from truckstream.errors import ServiceError
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.reading.shard_record import RecordsPage, ShardRecord
from truckstream.kinesis.responses import StreamSummary
from truckstream.kinesis.shard_map import Shard

LATER = ARRIVAL + 1e9


class OneShardStream:
    """A stream of one shard. `failures` are raised by the next calls."""

    stream_name = "truck-sensor-stream"

    def __init__(self, records, page=1_000, failures=()):
        self.records = records
        self.page = page
        self.failures = list(failures)

    async def summary(self):
        return StreamSummary(arn=ARN)

    async def list_shards(self):
        return [Shard(SHARD, 0, 2**128 - 1)]

    async def get_shard_iterator(self, shard_id, position):
        assert shard_id == SHARD
        if position.type == "AFTER_SEQUENCE_NUMBER":
            return str(1 + [each.sequence_number for each in self.records].index(position.sequence_number))
        if position.type == "AT_TIMESTAMP":
            return str(sum(each.arrival < position.timestamp for each in self.records))
        return "0"

    async def get_records(self, iterator, *_):
        if self.failures:
            raise self.failures.pop(0)
        start, stop = int(iterator), int(iterator) + self.page
        behind = 0 if stop >= len(self.records) else 1_000
        return RecordsPage(records=self.records[start:stop], next_iterator=str(stop), millis_behind=behind)


def in_stream(events):
    """Return the records of events as the stream holds them."""
    import base64  # noqa: PLC0415

    return [
        ShardRecord(
            data=base64.b64decode(each["kinesis"]["data"]),
            partition_key=each["kinesis"]["partitionKey"],
            sequence_number=each["kinesis"]["sequenceNumber"],
            arrival=each["kinesis"]["approximateArrivalTimestamp"],
        )
        for each in events
    ]


async def compare(store, records, *, times=(None, None), settled_before=LATER, client=None):
    """Return the comparison of the shard."""
    catalog = Catalog(store)
    with Inventory() as inventory:
        await ObjectScan(catalog, inventory, read_contents=False, on_progress=lambda _: None).run(None, None)
        inventory.seal()
        reading = StreamReading(
            client or OneShardStream(records),
            inventory,
            GroupReader(catalog),
            times=times,
            settled_before=settled_before,
            on_records=lambda _: None,
        )
        [(place, comparison)] = await reading.compare()
        assert place == (ARN, SHARD)
        return comparison


def found(comparison):
    """Return the kinds of the findings, each with its first and last record."""
    return [
        (each.kind, short(each.first_sequence_number), short(each.last_sequence_number)) for each in comparison.findings
    ]


@pytest.fixture
def store():
    return obstore.store.MemoryStore()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "gzip"},
        {"compression": "zstd", "layout": "hive"},
        {"format": "json"},
        {"format": "parquet", "schema": Small},
        {"add_stream_fields": True, "schema": Small},
        {"format": "json", "compression": "gzip", "add_stream_fields": True, "schema": Small},
    ],
)
async def test_every_record_is_stored_once(store, options):
    events = [
        *event(0, 12, rejected=[3]),
        record(aggregate(b'{"n":1}', b"[2]", b'{"n":1}'), 12),
        record(b'{"n":9}\n', 13),
    ]
    await fill_by_function(store, events, **options)
    comparison = await compare(store, in_stream(events))
    assert found(comparison) == []
    assert (comparison.compared, comparison.waiting) == (16, 0)


async def test_a_record_without_an_object_between_others_is_missing(store):
    """Also where no metadata shows it: at the edge of two deliveries."""
    await fill_by_function(store, event(0, 10), event(15, 20))
    comparison = await compare(store, in_stream(event(0, 20)))
    assert found(comparison) == [("missing", 10, 14)]
    assert "5 records of the stream" in comparison.findings[0].text


async def test_records_before_the_first_object_are_missing(store):
    await fill_by_function(store, event(5, 10))
    assert found(await compare(store, in_stream(event(0, 10)))) == [("missing", 0, 4)]


async def test_records_after_the_last_object_wait(store):
    await fill_by_function(store, event(0, 10))
    comparison = await compare(store, in_stream(event(0, 13)), settled_before=ARRIVAL)
    assert (found(comparison), comparison.waiting) == ([], 3)


async def test_records_that_have_waited_for_long_are_reported(store):
    await fill_by_function(store, event(0, 10))
    comparison = await compare(store, in_stream(event(0, 13)))
    assert found(comparison) == [("waiting", 10, 12)]
    assert comparison.findings[0].severity == "unclear"


@pytest.mark.parametrize("rejected", [[7], []])
async def test_an_edited_record_is_altered(store, rejected):
    """Even if somebody changes the digest, too."""
    await fill_by_function(store, event(0, 10, rejected=rejected))
    key = keys(store, "rejected" if rejected else "sensor_data")[0]
    change(store, key, bytes(store.get(key).bytes()).replace(b"[7]", b"[8]").replace(b'"n":2', b'"n":3'))
    comparison = await compare(store, in_stream(event(0, 10, rejected=rejected)))
    expected = 7 if rejected else 2
    assert found(comparison) == [("altered", expected, expected)]


async def test_a_deleted_object_of_a_group_is_missing(store):
    await fill_by_function(store, event(0, 10, rejected=[2, 3]))
    store.delete(keys(store, "rejected")[0])
    assert found(await compare(store, in_stream(event(0, 10, rejected=[2, 3])))) == [("missing", 2, 3)]


@pytest.mark.parametrize("options", [{}, {"format": "parquet", "schema": Small}])
async def test_records_of_a_mapping_that_was_created_again_are_doubled(store, options):
    await fill_by_function(store, event(0, 10), event(3, 10), **options)
    comparison = await compare(store, in_stream(event(0, 10)))
    assert [kind for kind, _, _ in found(comparison)] == ["doubled"]
    assert "7 records more" in comparison.findings[0].text


@pytest.mark.parametrize("options", [{}, {"format": "parquet", "schema": Small}])
async def test_groups_of_parallel_lanes_are_compared_as_one(store, options):
    """With a ParallelizationFactor above 1 an event has the records of some keys only."""
    records = event(0, 40)
    await fill_by_function(store, records[::2], records[1::2], **options)
    comparison = await compare(store, in_stream(records))
    assert (found(comparison), comparison.compared) == ([], 40)
    lanes = sorted(keys(store), key=lambda key: int(attributes(store, key)["last-sequence-number"]))
    store.delete(lanes[3])
    assert {kind for kind, _, _ in found(await compare(store, in_stream(records)))} == {"missing"}


async def test_objects_of_two_formats_that_overlap_are_counted(store):
    await fill_by_function(store, event(0, 10), schema=Small)
    await fill_by_function(store, event(3, 8), schema=Small, format="parquet")
    [(kind, _, _)] = found(await compare(store, in_stream(event(0, 10))))
    assert kind == "doubled"


async def test_what_the_stream_no_longer_has_is_not_compared(store):
    await fill_by_worker(store, 20)
    comparison = await compare(store, in_stream(event(8, 21)))
    assert (found(comparison), comparison.compared) == ([], 13)
    assert found(await compare(store, [])) == []


async def test_a_missing_record_in_a_group_of_which_the_stream_has_a_part(store):
    await fill_by_worker(store, 20, rejected=[9])
    store.delete(keys(store, "rejected")[0])
    assert found(await compare(store, in_stream(event(8, 21, rejected=[9])))) == [("missing", 9, 9)]


async def test_only_records_of_the_time_must_be_stored(store):
    await fill_by_function(store, event(5, 10), event(15, 20))
    records = in_stream(event(0, 30))
    comparison = await compare(store, records, times=(ARRIVAL + 0.005, ARRIVAL + 0.012))
    assert found(comparison) == [("missing", 10, 11)]
    assert comparison.waiting == 0


async def test_what_is_new_may_be_under_way(store):
    await fill_by_function(store, event(0, 5), event(10, 15))
    [finding] = (await compare(store, in_stream(event(0, 15)), settled_before=ARRIVAL)).findings
    assert (finding.kind, finding.severity) == ("missing", "unclear")


async def test_identical_records_are_counted(store):
    """A record that is in the stream three times must be stored three times."""
    same = [record(b'{"n":1}', n) for n in range(3)]
    await fill_by_function(store, same)
    assert found(await compare(store, in_stream(same))) == []
    change(store, keys(store)[0], b'{"n":1}\n{"n":1}\n')
    assert found(await compare(store, in_stream(same))) == [("missing", 2, 2)]


async def test_an_object_beside_the_stream_is_doubled(store):
    """Its records are not those of the stream."""
    await fill_by_function(store, event(0, 5), event(20, 25))
    copy(store, keys(store)[0], "elsewhere/batch")
    await fill_by_function(store, event(7, 9))
    assert [kind for kind, _, _ in found(await compare(store, in_stream([*event(0, 5), *event(20, 25)])))] == [
        "doubled"
    ]


def failure(kind):
    return RequestFailedError(kind, "Code", "message")


async def test_failures_that_pass_are_tried_again(store, monkeypatch):
    monkeypatch.setattr(stream_reading, "_CALL_SECONDS", 0.0)
    await fill_by_function(store, event(0, 20))
    failures = [failure(FailureKind.THROTTLED), failure(FailureKind.EXPIRED), failure(FailureKind.AMBIGUOUS)]
    client = OneShardStream(in_stream(event(0, 20)), page=3, failures=failures)
    comparison = await compare(store, (), client=client)
    assert (found(comparison), comparison.compared, client.failures) == ([], 20, [])


@pytest.mark.parametrize("failures", [[failure(FailureKind.PERMANENT)], [failure(FailureKind.THROTTLED)] * 10])
async def test_a_stream_that_cannot_be_read_raises(store, failures, monkeypatch):
    monkeypatch.setattr(stream_reading, "_CALL_SECONDS", 0.0)
    with pytest.raises(ServiceError, match="message"):
        await compare(store, (), client=OneShardStream([], failures=failures))
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_numbers_of_the_tests_are_those_of_the_service():
    assert short(number(3)) == 3
