"""The Consumer over enhanced fan-out against the local Kinesis, over HTTP/2."""

import asyncio
import sys

import pytest

from truckstream import Consumer
from truckstream.consumer.tables import MemoryTable
from truckstream.errors import ConfigurationError, StreamNotFoundError
from truckstream.local import LocalKinesis
from truckstream.local.faults import Fault, FaultPlan

FIRST = "shardId-000000000000"

pytestmark = pytest.mark.usefixtures("fake_credentials")


def consumer_of(kinesis, **options):
    return Consumer(
        kinesis.stream_name,
        endpoint_url=kinesis.endpoint_url,
        region_name="us-east-1",
        leases=MemoryTable(),
        fan_out=True,
        **options,
    )


async def put(kinesis, start, stop):
    records = [{"Data": b"%d" % number, "PartitionKey": f"TRUCK_{number % 50}"} for number in range(start, stop)]
    response = await kinesis.call("PutRecords", StreamName=kinesis.stream_name, Records=records)
    assert response["FailedRecordCount"] == 0


async def read(loop, count):
    """The numbers of the next `count` records, as they come."""
    found = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += [int(record.data) for record in await anext(loop)]
    return found


async def test_records_put_before_and_after_opening_come_once_and_a_split_is_followed():
    async with LocalKinesis(shards=2, quotas=False) as kinesis:
        await put(kinesis, 0, 400)
        async with consumer_of(kinesis) as consumer:
            loop = aiter(consumer)
            found = await read(loop, 400)
            await put(kinesis, 400, 600)
            found += await read(loop, 200)
            await kinesis.call(
                "SplitShard", StreamName=kinesis.stream_name, ShardToSplit=FIRST, NewStartingHashKey=str(2**126)
            )
            await put(kinesis, 600, 1_000)
            found += await read(loop, 400)
            shards = set(consumer.stats.shards)
    assert sorted(found) == list(range(1_000))
    assert len(shards) == 3


@pytest.mark.parametrize("fault", ["error-before", "reset-before", "reset-answer"])
async def test_failures_of_a_third_of_the_requests_lose_and_repeat_nothing(fault):
    operations = "SubscribeToShard+ListShards+RegisterStreamConsumer"
    faults = FaultPlan(Fault.parse(f"{fault}:rate=0.3,operations={operations}"), seed=3)
    async with (
        LocalKinesis(shards=4, quotas=False, faults=faults) as kinesis,
        consumer_of(kinesis) as consumer,
    ):
        await put(kinesis, 0, 400)
        assert sorted(await read(aiter(consumer), 400)) == list(range(400))


async def test_two_applications_have_the_whole_stream_each():
    async with LocalKinesis(shards=2, quotas=False) as kinesis:
        await put(kinesis, 0, 400)
        lake, alerts = consumer_of(kinesis, application="lake"), consumer_of(kinesis, application="alerts")
        async with lake as first, alerts as second:
            found = await asyncio.gather(read(aiter(first), 400), read(aiter(second), 400))
    assert [sorted(each) for each in found] == [list(range(400))] * 2


async def test_a_deleted_stream_ends_the_loop():
    async with LocalKinesis(quotas=False) as kinesis, consumer_of(kinesis) as consumer:
        await consumer.wait_ready()
        await kinesis.call("DeleteStream", StreamName=kinesis.stream_name, EnforceConsumerDeletion=True)
        async with asyncio.timeout(20):
            with pytest.raises(StreamNotFoundError):
                await anext(aiter(consumer))


async def test_a_missing_h2_is_named_before_a_consumer_is_registered(monkeypatch):
    monkeypatch.setitem(sys.modules, "truckstream.kinesis.fan_out.http2_pool", None)
    async with LocalKinesis(quotas=False) as kinesis:
        with pytest.raises(ConfigurationError, match=r"pip install 'truckstream\[fan-out\]'"):
            async with consumer_of(kinesis):
                pass
        assert (await kinesis.call("ListStreamConsumers", StreamARN=kinesis.stream_arn))["Consumers"] == []
