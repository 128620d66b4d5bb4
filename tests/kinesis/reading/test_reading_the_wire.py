"""Reading the local Kinesis over HTTP, with its quotas, errors and faults."""

import asyncio
import json

import pytest

from tests.kinesis.servers import HANG_UP, error_response, http_response, listening, serving
from tests.kinesis.support import Record, client_of
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.http.connection_pool import STEP_BYTES
from truckstream.kinesis.reading.position import Position
from truckstream.local import LocalKinesis, VirtualClock
from truckstream.local.faults import Fault, FaultPlan

TRIM_HORIZON = Position("TRIM_HORIZON")
MIB = 1024 * 1024

pytestmark = pytest.mark.usefixtures("fake_credentials")


async def read_all(client, shard_id, position=TRIM_HORIZON, limit=10_000):
    """Read a shard to its tip or end; return the records and the last page."""
    records, iterator = [], await client.get_shard_iterator(shard_id, position)
    while True:
        page = await client.get_records(iterator, shard_id, limit)
        records += page.records
        iterator = page.next_iterator
        if iterator is None or not (page.records or page.millis_behind):
            return records, page


async def failure_of(call):
    with pytest.raises(RequestFailedError) as caught:
        await call
    return caught.value


async def put(client, *data):
    responses = await client.put_records([Record(each) for each in data])
    return [response.sequence_number for response in responses]


@pytest.mark.parametrize("by", ["stream_name", "stream_arn"])
async def test_records_are_read_in_order(by):
    async with (
        LocalKinesis(quotas=False) as kinesis,
        client_of(kinesis.endpoint_url, getattr(kinesis, by)) as client,
    ):
        numbers = await put(client, b"a", b"b", b"c")
        [shard] = await client.list_shards()
        records, page = await read_all(client, shard.shard_id, limit=2)
    assert [(record.data, record.sequence_number) for record in records] == list(
        zip((b"a", b"b", b"c"), numbers, strict=True)
    )
    assert {(record.shard_id, record.partition_key) for record in records} == {(shard.shard_id, "TRUCK_001")}
    assert page.millis_behind == 0


async def test_every_position():
    clock = VirtualClock(1_000.0)
    async with (
        LocalKinesis(quotas=False, clock=clock) as kinesis,
        client_of(kinesis.endpoint_url, kinesis.stream_name) as client,
    ):
        [first] = await put(client, b"a")
        clock.advance(10)
        [second] = await put(client, b"b")
        shard_id = (await client.list_shards())[0].shard_id
        positions = {
            Position("AT_SEQUENCE_NUMBER", sequence_number=second): [b"b"],
            Position("AFTER_SEQUENCE_NUMBER", sequence_number=first): [b"b"],
            Position("AFTER_SEQUENCE_NUMBER", sequence_number=second): [],
            Position("AT_TIMESTAMP", timestamp=1_000.5): [b"b"],
            Position("AT_TIMESTAMP", timestamp=1_000.0): [b"a", b"b"],
            Position("LATEST"): [],
            TRIM_HORIZON: [b"a", b"b"],
        }
        for position, expected in positions.items():
            records, _ = await read_all(client, shard_id, position)
            assert [record.data for record in records] == expected, position
    assert records[1].arrival == 1_010.0


async def test_the_end_of_a_split_shard_names_its_children():
    async with (
        LocalKinesis(quotas=False) as kinesis,
        client_of(kinesis.endpoint_url, kinesis.stream_name) as client,
    ):
        await put(client, b"a")
        [parent] = await client.list_shards()
        members = {"ShardToSplit": parent.shard_id, "NewStartingHashKey": "7"}
        await kinesis.call("SplitShard", StreamName=kinesis.stream_name, **members)
        records, page = await read_all(client, parent.shard_id)
        shards = {shard.shard_id: shard for shard in await client.list_shards()}
    assert [record.data for record in records] == [b"a"]
    assert page.next_iterator is None
    assert [child.parent_ids for child in page.children] == [(parent.shard_id,)] * 2
    for child in page.children:
        listed = shards[child.shard_id]
        assert (listed.parent_ids, listed.starting_hash_key, listed.ending_hash_key) == (
            child.parent_ids,
            child.starting_hash_key,
            child.ending_hash_key,
        )
    assert not shards[parent.shard_id].is_open


async def test_a_response_of_10_mib():
    """It has 14 MB in base64, more than any other response may have."""
    async with (
        LocalKinesis(quotas=False) as kinesis,
        client_of(kinesis.endpoint_url, kinesis.stream_name) as client,
    ):
        data = [bytes([number]) * (MIB - 9) for number in range(12)]
        for each in data:
            await put(client, each)
        shard_id = (await client.list_shards())[0].shard_id
        iterator = await client.get_shard_iterator(shard_id, TRIM_HORIZON)
        first = await client.get_records(iterator, shard_id)
        second = await client.get_records(first.next_iterator, shard_id)
    assert [record.data for record in first.records + second.records] == data
    assert first.size > 13 * MIB
    assert first.millis_behind > 0


# --- Errors ---------------------------------------------------------------------------------------


async def test_an_expired_iterator():
    clock = VirtualClock(1_000.0)
    async with (
        LocalKinesis(clock=clock) as kinesis,
        client_of(kinesis.endpoint_url, kinesis.stream_name) as client,
    ):
        shard_id = (await client.list_shards())[0].shard_id
        iterator = await client.get_shard_iterator(shard_id, TRIM_HORIZON)
        clock.advance(301)
        failure = await failure_of(client.get_records(iterator, shard_id))
    assert (failure.kind, failure.code) == (FailureKind.EXPIRED, "ExpiredIteratorException")


async def test_reading_too_often_is_throttled():
    async with (
        LocalKinesis(clock=VirtualClock(1_000.0)) as kinesis,
        client_of(kinesis.endpoint_url, kinesis.stream_name) as client,
    ):
        shard_id = (await client.list_shards())[0].shard_id
        iterator = await client.get_shard_iterator(shard_id, TRIM_HORIZON)
        for _ in range(5):
            iterator = (await client.get_records(iterator, shard_id)).next_iterator
        failure = await failure_of(client.get_records(iterator, shard_id))
    assert (failure.kind, failure.code) == (FailureKind.THROTTLED, "ProvisionedThroughputExceededException")


async def test_a_shard_or_stream_that_does_not_exist():
    async with LocalKinesis() as kinesis:
        for stream, shard_id in ((kinesis.stream_name, "shardId-000000000009"), ("nowhere", "shardId-000000000000")):
            async with client_of(kinesis.endpoint_url, stream) as client:
                failure = await failure_of(client.get_shard_iterator(shard_id, TRIM_HORIZON))
                assert (failure.kind, failure.code) == (FailureKind.PERMANENT, "ResourceNotFoundException")
                assert shard_id in failure.message


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredIteratorException", FailureKind.EXPIRED),
        ("ProvisionedThroughputExceededException", FailureKind.THROTTLED),
        ("LimitExceededException", FailureKind.THROTTLED),
        ("KMSThrottlingException", FailureKind.THROTTLED),
        ("KMSDisabledException", FailureKind.PERMANENT),
        ("KMSAccessDeniedException", FailureKind.PERMANENT),
        ("KMSInvalidStateException", FailureKind.PERMANENT),
        ("KMSNotFoundException", FailureKind.PERMANENT),
        ("KMSOptInRequired", FailureKind.PERMANENT),
        ("AccessDeniedException", FailureKind.PERMANENT),
        ("ResourceNotFoundException", FailureKind.PERMANENT),
        ("InvalidArgumentException", FailureKind.POISONED),
        ("InternalFailureException", FailureKind.AMBIGUOUS),
    ],
)
async def test_the_errors_of_get_records_are_told_apart(code, kind):
    async with serving(error_response(code, "the reason")) as server, client_of(server.url) as client:
        failure = await failure_of(client.get_records("AAA=", "shard"))
    assert (failure.kind, failure.code, failure.message) == (kind, code, "the reason")


async def test_an_expired_page_of_shards():
    pages = [
        http_response(body={"Shards": [], "NextToken": "more"}),
        error_response("ExpiredNextTokenException", "The NextToken has expired."),
    ]
    async with serving(*pages) as server, client_of(server.url) as client:
        failure = await failure_of(client.list_shards())
    assert failure.kind is FailureKind.EXPIRED
    assert failure.to_service_error().retryable


# --- Faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("reset-before", count=1), FailureKind.AMBIGUOUS),
        (Fault("reset-after", count=1), FailureKind.AMBIGUOUS),
        (Fault("reset-answer", count=1), FailureKind.AMBIGUOUS),
        (Fault("stall", count=1), FailureKind.AMBIGUOUS),
        (Fault("error-before", count=1), FailureKind.AMBIGUOUS),
        (Fault("error-before", count=1, status=502), FailureKind.AMBIGUOUS),
        (Fault("error-after", count=1, status=503), FailureKind.AMBIGUOUS),
        (Fault("access-denied", count=1), FailureKind.PERMANENT),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
@pytest.mark.parametrize("operation", ["GetRecords", "GetShardIterator"])
async def test_a_fault_fails_one_call(fault, kind, operation):
    """The next call finds every record."""
    faults = FaultPlan(Fault.read({**_members(fault), "operations": [operation]}))
    async with (
        LocalKinesis(quotas=False, faults=faults) as kinesis,
        client_of(kinesis.endpoint_url, kinesis.stream_name, request_timeout=1.0) as client,
    ):
        await put(client, b"a", b"b")
        shard_id = (await client.list_shards())[0].shard_id
        failure = await failure_of(read_all(client, shard_id))
        assert failure.kind is kind
        records, _ = await read_all(client, shard_id)
    assert [record.data for record in records] == [b"a", b"b"]


def _members(fault):
    return {name: value for name in ("kind", "count", "status") if (value := getattr(fault, name))}


async def test_expired_credentials_are_renewed_within_the_call():
    faults = FaultPlan(Fault("expired-token", count=1, operations=("GetRecords",)))
    async with (
        LocalKinesis(faults=faults) as kinesis,
        client_of(kinesis.endpoint_url, kinesis.stream_name) as client,
    ):
        shard_id = (await client.list_shards())[0].shard_id
        iterator = await client.get_shard_iterator(shard_id, TRIM_HORIZON)
        failure = await failure_of(client.get_records(iterator, shard_id))
        assert failure.kind is FailureKind.CREDENTIALS  # these credentials never change
        assert (await client.get_records(iterator, shard_id)).records == []


async def test_a_truncated_response_is_no_page():
    whole = http_response(body={"Records": [], "MillisBehindLatest": 0})

    async def serve(reader, writer):
        await reader.readuntil(b"}")
        writer.write(whole[:-5])
        writer.close()
        await writer.wait_closed()

    async with listening(serve) as port, client_of(f"http://127.0.0.1:{port}") as client:
        failure = await failure_of(client.get_records("AAA=", "shard"))
    assert (failure.kind, failure.code) == (FailureKind.AMBIGUOUS, "Disconnected")


async def test_a_large_response_may_take_longer_than_the_timeout():
    """Each part of it renews the time for the next one."""
    data = "A" * (2 * STEP_BYTES)
    records = [{"SequenceNumber": "1", "ApproximateArrivalTimestamp": 1, "Data": data, "PartitionKey": "k"}] * 4
    response = http_response(body={"Records": records})
    released = []

    async def serve(reader, writer):
        await reader.readuntil(b"}")
        parts = range(0, len(response), len(response) // 6)
        for start in parts:
            writer.write(response[start : start + len(response) // 6])
            await writer.drain()
            await asyncio.sleep(0.5)
            released.append(start)

    async with listening(serve) as port, client_of(f"http://127.0.0.1:{port}", request_timeout=2.0) as client:
        page = await client.get_records("AAA=", "shard")
    assert len(page.records) == 4
    assert len(released) >= 5


async def test_the_service_hangs_up():
    async with serving(HANG_UP) as server, client_of(server.url) as client:
        failure = await failure_of(client.get_records("AAA=", "shard"))
        assert failure.kind is FailureKind.AMBIGUOUS
    assert json.loads(server.received[0].body) == {"ShardIterator": "AAA=", "Limit": 10_000}
