"""One consumer of several streams: their records, their leases, and a stream that does not exist."""

import pytest

from truckstream.consumer import Consumer
from truckstream.consumer.tables import MemoryTable
from truckstream.errors import InvalidArgumentError, StreamNotFoundError
from truckstream.local import LocalKinesis

STREAMS = ("north", "south")
SHARD = "shardId-000000000000"


@pytest.fixture
async def kinesis():
    async with LocalKinesis(stream="north") as kinesis:
        await kinesis.call("CreateStream", StreamName="south", ShardCount=1)
        yield kinesis


def consumer(kinesis, streams=STREAMS, **options):
    return Consumer(streams, endpoint_url=kinesis.endpoint_url, region_name="us-east-1", **options)


async def put(kinesis, stream, *values):
    for value in values:
        await kinesis.call("PutRecord", StreamName=stream, Data=value, PartitionKey="TRUCK_001")


@pytest.mark.usefixtures("fake_credentials")
async def test_the_records_of_all_streams_come_with_the_names_of_their_streams(kinesis):
    await put(kinesis, "north", b"1", b"2")
    await put(kinesis, "south", b"3")
    found = {}
    async with consumer(kinesis) as reading:
        async for batch in reading:
            found.setdefault((batch.stream_name, batch.shard_id), []).extend(each.data for each in batch)
            if sum(map(len, found.values())) == 3:
                break
    assert found == {("north", SHARD): [b"1", b"2"], ("south", SHARD): [b"3"]}


@pytest.mark.usefixtures("fake_credentials")
async def test_leases_are_named_as_the_kcl_names_those_of_several_streams(kinesis):
    table = MemoryTable()
    async with consumer(kinesis, application="lake", leases=table) as reading:
        await reading.wait_ready()
        assert len(reading.stats.shards) == 2
    created = {}
    for name in STREAMS:
        summary = await kinesis.call("DescribeStreamSummary", StreamName=name)
        described = summary["StreamDescriptionSummary"]
        account = described["StreamARN"].split(":")[4]
        created[name] = f"{account}:{name}:{int(described['StreamCreationTimestamp'])}"
    leases = {lease.key: lease.stream for lease in await table.read()}
    assert leases == {f"{key}:{SHARD}": key for key in created.values()}


@pytest.mark.usefixtures("fake_credentials")
async def test_ready_waits_for_each_stream_though_their_shards_have_the_same_ids(kinesis):
    async with consumer(kinesis, start="LATEST") as reading:
        await reading.wait_ready()
        await put(kinesis, "north", b"n")
        await put(kinesis, "south", b"s")
        found = set()
        async for each in reading.records():
            found.add(each.data)
            if found == {b"n", b"s"}:
                break


@pytest.mark.usefixtures("fake_credentials")
async def test_a_stream_that_does_not_exist_is_named(kinesis):
    with pytest.raises(StreamNotFoundError, match="nowhere"):
        async with consumer(kinesis, ("north", "nowhere")):
            pass


@pytest.mark.parametrize("streams", [(), ("north", "north"), ("north", 7), 7])
def test_streams_are_a_list_of_different_names(streams):
    with pytest.raises(InvalidArgumentError, match=r"^stream is"):
        Consumer(streams)
