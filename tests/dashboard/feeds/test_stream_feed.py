"""A view that follows a stream of the local Kinesis."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.dashboard.reports import changes, report
from truckstream.dashboard import FleetView
from truckstream.dashboard.feeds.stream_feed import StreamFeed, stream_source
from truckstream.errors import StreamNotFoundError
from truckstream.local import Fault, FaultPlan, LocalKinesis
from truckstream.producer import Producer


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")


@asynccontextmanager
async def following(kinesis, **options):
    """A view that a feed fills."""
    view = FleetView(stream_source("trucks"))
    feed = StreamFeed(view, "trucks", endpoint_url=kinesis.endpoint_url, region_name="us-east-1", **options)
    running = asyncio.create_task(feed.run())
    try:
        yield view, feed
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def put(kinesis, *records):
    async with Producer("trucks", endpoint_url=kinesis.endpoint_url, region_name="us-east-1") as producer:
        for key, data in records:
            await producer.put(data, key)


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a view sets no event
            await asyncio.sleep(0.02)


async def test_records_of_all_shards_are_shown_and_invalid_ones_counted():
    async with LocalKinesis(stream="trucks", shards=2, quotas=False) as kinesis:
        await put(kinesis, *((f"T{n}", report(f"T{n}")) for n in range(50)), ("T0", b"broken"))
        async with following(kinesis, start="TRIM_HORIZON") as (view, _):
            await until(lambda: view.traffic.records == 51)
            await until(lambda: all(shard[5] is not None for shard in changes(view)[0]["shards"]))
            message, _ = changes(view)
    assert message["counts"]["NORMAL"] == 50
    assert message["rejected"]["reasons"] == [["malformed_json", 1]]
    assert [shard[0] for shard in message["shards"]] == ["shardId-000000000000", "shardId-000000000001"]
    assert view.traffic.lag is not None


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}])
async def test_the_load_of_a_shard_is_that_of_its_kinesis_records(options):
    async with LocalKinesis(stream="trucks", quotas=False) as kinesis:
        where = {"endpoint_url": kinesis.endpoint_url, "region_name": "us-east-1"}
        async with Producer("trucks", aggregate=True, **options, **where) as producer:
            await producer.put_many((report(f"T{n}"), f"T{n}") for n in range(500))
        start = {"ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
        iterator = (await kinesis.call("GetShardIterator", StreamName="trucks", **start))["ShardIterator"]
        stored = (await kinesis.call("GetRecords", ShardIterator=iterator))["Records"]
        async with following(kinesis, start="TRIM_HORIZON") as (view, _):
            await until(lambda: view.traffic.records == 500)
            [slots] = [shard.rates._slots for shard in view.traffic._shards.values()]
    assert len(stored) < 10
    assert sum(records for records, _ in slots.values()) == pytest.approx(len(stored))
    size = sum(len(each["Data"]) + len(each["PartitionKey"]) for each in stored)
    assert sum(size for _, size in slots.values()) == pytest.approx(size)
    assert view.traffic.bytes > 500 * 400, "the chart counts the reports"


async def test_it_begins_at_new_records():
    async with LocalKinesis(stream="trucks", quotas=False) as kinesis:
        await put(kinesis, ("OLD", report("OLD")))
        async with following(kinesis) as (view, feed):
            await until(lambda: "open>" in repr(feed.consumer) and "not" not in repr(feed.consumer))
            await feed.consumer.wait_ready()
            await put(kinesis, ("NEW", report("NEW")))
            await until(lambda: len(view.trucks) > 0)
    assert view.trucks.get("OLD") is None
    assert view.trucks.get("NEW") is not None


async def test_throttled_reads_are_counted():
    faults = FaultPlan(Fault.parse("throttle:count=2,operations=GetRecords"))
    async with (
        LocalKinesis(stream="trucks", quotas=False, faults=faults) as kinesis,
        following(kinesis, start="TRIM_HORIZON") as (view, _),
    ):
        await until(lambda: view.traffic.throttled == 2)


async def test_a_missing_stream_ends_the_feed():
    async with LocalKinesis(stream="another", quotas=False) as kinesis:
        feed = StreamFeed(
            FleetView(stream_source("trucks")), "trucks", endpoint_url=kinesis.endpoint_url, region_name="us-east-1"
        )
        with pytest.raises(StreamNotFoundError):
            await feed.run()
