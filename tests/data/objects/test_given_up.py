"""The batches that Lambda gave up are found in a bucket, and read from their documents."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import obstore.store
import pytest

from tests.batcher.support import ARN, ARRIVAL, SHARD, number, trucks
from truckstream.data.objects.given_up import GivenUpBatch, given_up_batches
from truckstream.data.objects.given_up_batch import BrokenDocumentError, given_up_at, read_document
from truckstream.errors import InvalidArgumentError, StoreError
from truckstream.local.mapping.function.discarded_batch import DiscardedBatch, failure_document, failure_object
from truckstream.local.mapping.function.lambda_event import EventMaker
from truckstream.local.service.state.shard import Record

MAPPING = "5e8bbb2e-0b0b-4b0e-9c0f-0d8b9e1f2a3b"
BEGIN = datetime(2025, 1, 15, 14, tzinfo=UTC)


def document(**changes):
    """The document as AWS's guide shows it, with the records."""
    info = {
        "shardId": SHARD,
        "startSequenceNumber": number(0),
        "endSequenceNumber": number(2),
        "approximateArrivalOfFirstRecord": "2025-01-15T14:30:25.000Z",
        "approximateArrivalOfLastRecord": "2025-01-15T14:30:25.002Z",
        "batchSize": 3,
        "streamArn": ARN,
    }
    return {
        "requestContext": {
            "requestId": "c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",
            "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:myfunction",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2025-01-15T14:38:06.021Z",
        "KinesisBatchInfo": info,
        "payload": json.dumps({"Records": trucks(3)}),
        **changes,
    }


def key(at=BEGIN, name="a1b2c3d4", shard=SHARD):
    return f"aws/lambda/{MAPPING}/{shard}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{name}"


def read(**changes):
    return read_document("the key", json.dumps(document(**changes)).encode())


async def found(store, **options):
    return [each async for each in given_up_batches(store, **options)]


def test_a_document_with_records():
    assert read() == GivenUpBatch(
        key="the key",
        stream=ARN,
        shard=SHARD,
        first_sequence_number=number(0),
        last_sequence_number=number(2),
        size=3,
        condition="RetryAttemptsExhausted",
        first_arrival=datetime.fromtimestamp(ARRIVAL, UTC),
        last_arrival=datetime.fromtimestamp(ARRIVAL, UTC) + timedelta(milliseconds=2),
        records=trucks(3),
    )


@pytest.mark.parametrize("payload", [None, ""])
def test_a_document_without_records_names_the_range(payload):
    batch = read(payload=payload)
    assert batch.records is None
    assert (batch.first_sequence_number, batch.last_sequence_number, batch.size) == (number(0), number(2), 3)


def test_it_reads_what_the_local_mapping_writes():
    records = [Record(n, number(n), b"\xff" * 10, f"key {n}", ARRIVAL + n) for n in range(3)]
    batch = DiscardedBatch(records, "RecordAgeExceeded", 2, None, ARRIVAL + 60)
    written = failure_document(batch, request_id="id", function_arn="arn", shard_id=SHARD, stream_arn=ARN)
    event = EventMaker(SHARD, stream_arn=ARN, region="us-east-1", role_arn="role").make(records)
    name, content = failure_object(written, event, mapping_id=MAPPING, name="0000")
    assert given_up_at(name) == datetime.fromtimestamp(ARRIVAL + 60, UTC)
    read_back = read_document(name, content)
    assert read_back.records == event["Records"]
    assert (read_back.condition, read_back.size, read_back.shard) == ("RecordAgeExceeded", 3, SHARD)


def test_a_batch_of_a_dynamodb_stream_is_none_of_kinesis():
    other = document(DDBStreamBatchInfo={"shardId": "shardId-00000001573416256224-713cf137"})
    del other["KinesisBatchInfo"]
    assert read_document("key", json.dumps(other).encode()) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated"),
        (b"\xff\xfe", "malformed|UTF-8|utf-8"),
        (b'{"more": ' + b"[" * 100_000, "recursion"),
        (b"{}", "requestContext"),
        (b'{"requestContext": {"condition": "x"}}', "no KinesisBatchInfo"),
        (json.dumps(document(payload="not an event")).encode(), "malformed"),
        (json.dumps(document(payload='{"Records": [1]}')).encode(), "Expected `object`"),
        (json.dumps(document(payload="\ud800")).encode(), "truncated"),
        (json.dumps(document()).replace(number(0), "49x").encode(), "sequence numbers are '49x'"),
        (json.dumps(document())[:-20].encode(), "truncated"),
    ],
    ids=range(10),
)
def test_another_object_is_broken(content, reason):
    with pytest.raises(BrokenDocumentError, match=f"(?i){reason}"):
        read_document("key", content)


@pytest.mark.parametrize(
    "other",
    [
        "aws/lambda/async/my-function/2025/01/15/2025-01-15T14.30.25-a1b2",
        key().replace(".", ":"),
        key().replace("T14.", "T99."),
        key() + "/more",
        "notes.json",
    ],
)
def test_other_keys_name_no_time(other):
    assert given_up_at(other) is None


@pytest.mark.parametrize("kind", ["memory", "directory"])
async def test_it_finds_the_batches_of_a_bucket(tmp_path, kind):
    store = obstore.store.MemoryStore() if kind == "memory" else obstore.store.LocalStore(tmp_path)
    store.put(key(name="one"), json.dumps(document()).encode())
    store.put(key(name="two", shard="shardId-000000000001"), json.dumps(document(payload=None)).encode())
    store.put("aws/lambda/notes.txt", b"mine")
    store.put("other/" + key(), b"elsewhere")
    batches = await found(store if kind == "memory" else tmp_path)
    assert sorted(each.key.rpartition("-")[2] for each in batches) == ["one", "two"]


async def test_it_finds_them_below_a_prefix():
    store = obstore.store.MemoryStore()
    store.put("failed/" + key(), json.dumps(document()).encode())
    assert await found(store) == []
    assert [each.key for each in await found(store, prefix="/failed/")] == ["failed/" + key()]


async def test_it_selects_by_the_arrival_of_the_first_record():
    store = obstore.store.MemoryStore()
    for hour in range(4):
        arrival, given_up = BEGIN + timedelta(hours=hour), BEGIN + timedelta(hours=hour + 2)
        info = document()["KinesisBatchInfo"] | {"approximateArrivalOfFirstRecord": arrival.isoformat()}
        store.put(key(given_up, str(hour)), json.dumps(document(KinesisBatchInfo=info)).encode())
    hours = [BEGIN + timedelta(hours=n) for n in range(4)]
    assert [each.first_arrival for each in await found(store, since=hours[1], until=hours[3])] == hours[1:3]
    assert [each.first_arrival for each in await found(store, since=hours[3])] == hours[3:]


async def test_batches_given_up_before_the_time_are_not_read():
    store = obstore.store.MemoryStore()
    store.put(key(BEGIN), b"broken, and read it would raise")
    assert await found(store, since=BEGIN + timedelta(hours=1)) == []


async def test_a_broken_object_raises_or_is_reported():
    store = obstore.store.MemoryStore()
    store.put(key(name="broken"), b"{}")
    store.put(key(name="good"), json.dumps(document()).encode())
    with pytest.raises(StoreError, match=r"BrokenDocument: aws/.*-broken is no document about a batch: .*requestCon"):
        await found(store)
    reports = []
    batches = await found(store, on_broken=lambda *report: reports.append(report))
    assert [each.key for each in batches] == [key(name="good")]
    assert [each for each, _ in reports] == [key(name="broken")]


async def test_an_object_that_is_deleted_meanwhile_is_left_out():
    store = obstore.store.MemoryStore()
    for name in ("one", "two"):
        store.put(key(name=name), json.dumps(document()).encode())
    batches = given_up_batches(store)
    assert (await anext(batches)).key == key(name="one")
    store.delete(key(name="two"))
    assert [each async for each in batches] == []


async def test_a_time_needs_a_time_zone():
    with pytest.raises(InvalidArgumentError, match=r"until .* must have a time zone"):
        await found(obstore.store.MemoryStore(), until=datetime(2025, 1, 15))  # noqa: DTZ001 - the point of the test
