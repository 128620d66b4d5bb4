"""The client reads from servers by other makers: whatever form their numbers and ends of shards have."""

import contextlib
import time

import pytest
from aiobotocore.session import get_session

from tests.contract import servers
from tests.kinesis.support import Record, client_of
from truckstream.kinesis.failures import RequestFailedError
from truckstream.kinesis.reading.position import Position

pytestmark = [pytest.mark.external, pytest.mark.usefixtures("fake_credentials")]

TRIM_HORIZON = Position("TRIM_HORIZON")


@pytest.fixture(scope="module", params=[servers.KINESALITE, servers.KINESIS_MOCK, servers.MOTO])
def server(request, tmp_path_factory):
    with servers.running(request.param, tmp_path_factory.mktemp("server")) as server:
        yield server


@contextlib.asynccontextmanager
async def stream_of(server, name):
    """A client of aiobotocore and one of ours for a new ACTIVE stream."""
    async with get_session().create_client(
        "kinesis", region_name="us-east-1", endpoint_url=server.endpoint_url
    ) as control:
        await control.create_stream(StreamName=name, ShardCount=1)
        await _until_active(control, name)
        async with client_of(server.endpoint_url, name) as client:
            yield control, client


async def _until_active(control, name):
    await control.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})


async def read(client, shard_id, position=TRIM_HORIZON):
    """Return the records of five pages, or up to the end of the shard, and the last page."""
    iterator = await client.get_shard_iterator(shard_id, position)
    records = []
    for _ in range(5):
        page = await client.get_records(iterator, shard_id)
        records += page.records
        iterator = page.next_iterator
        if iterator is None:
            break
    return records, page


async def test_records_are_read(server):
    async with stream_of(server, "reading") as (_, client):
        [shard] = await client.list_shards()
        responses = await client.put_records([Record(b"a", "ключ:1"), Record(bytes(range(256)))])
        records, page = await read(client, shard.shard_id)
        after = Position("AFTER_SEQUENCE_NUMBER", sequence_number=records[0].sequence_number)
        rest, _ = await read(client, shard.shard_id, after)
        earlier, _ = await read(client, shard.shard_id, Position("AT_TIMESTAMP", timestamp=time.time() - 3_600))
    assert [(record.data, record.partition_key) for record in records] == [
        (b"a", "ключ:1"),
        (bytes(range(256)), "TRUCK_001"),
    ]
    assert [record.sequence_number for record in records] == [response.sequence_number for response in responses]
    assert rest == records[1:]
    assert earlier == records
    assert {record.shard_id for record in records} == {shard.shard_id}
    assert abs(time.time() - records[0].arrival) < 3_600  # seconds, and not milliseconds
    assert page.next_iterator


async def test_a_split_shard_ends_and_its_children_name_their_parent(server):
    async with stream_of(server, "splitting") as (control, client):
        [parent] = await client.list_shards()
        await client.put_records([Record(b"a")])
        await control.split_shard(StreamName="splitting", ShardToSplit=parent.shard_id, NewStartingHashKey=str(2**127))
        await _until_active(control, "splitting")
        shards = await client.list_shards()
        records, page = await read(client, parent.shard_id)
    assert [record.data for record in records] == [b"a"]
    assert [shard.parent_ids for shard in shards if shard.shard_id != parent.shard_id] == [(parent.shard_id,)] * 2
    if server.name != servers.MOTO:  # it keeps the parent open
        assert page.next_iterator is None


async def test_an_unknown_shard_is_an_error(server):
    async with stream_of(server, "failing") as (_, client):
        with pytest.raises(RequestFailedError) as caught:
            await client.get_shard_iterator("shardId-000000000009", TRIM_HORIZON)
    assert caught.value.code in {"ResourceNotFoundException", "InvalidArgumentException"}
