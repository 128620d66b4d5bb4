"""The Consumer over enhanced fan-out on virtual time: subscriptions that end, fail and are refused."""

import asyncio
import random
from dataclasses import replace

import pytest

from tests.consumer.local_client import EPOCH, LocalClient, LocalStream, numbers
from tests.consumer.support import on_virtual_time
from truckstream.consumer import Consumer, ConsumerObserver
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.errors import StreamNotFoundError

MIB = 1024 * 1024
#: The most bytes of an event as `LocalClient` counts them: 2 MiB in base64, and the rest of each record.
EVENT = 3.3 * MIB


class Watcher(ConsumerObserver):
    def __init__(self):
        self.failures = []

    def read_failed(self, event):
        self.failures.append(event.code)

    def read_throttled(self, _):
        self.failures.append("throttled")


def fan_out(stream, table=None, *, client=None, **options):
    application = None if table is None else options.pop("application", "lake")
    client = LocalClient(stream, **client or {})
    return Consumer(client, application=application, leases=table or MemoryTable(), fan_out=True, **options)


def subscriptions(consumer):
    [client] = consumer._streams._clients
    return [call for call in client.calls if call[1] == "SubscribeToShard"]


def registered(consumer):
    [found] = consumer._streams.consumers.values()
    return found


async def read(consumer, count):
    """Return the data of the first `count` records by shard."""
    by_shard = {}
    async for batch in consumer:
        by_shard.setdefault(batch.shard_id, []).extend(each.data for each in batch)
        if sum(map(len, by_shard.values())) >= count:
            break
    return by_shard


@on_virtual_time
async def test_records_put_before_and_after_opening_come_once_and_in_order_without_polling():
    stream = LocalStream(shards=4)
    stream.put(1_000)
    async with fan_out(stream) as reading:
        by_shard = {}
        loop = aiter(reading)
        while sum(map(len, by_shard.values())) < 2_000:
            batch = await anext(loop)
            by_shard.setdefault(batch.shard_id, []).extend(each.data for each in batch)
            if stream.total == 1_000:
                stream.put(1_000)
        assert "GetRecords" not in {call[1] for call in reading._streams._clients[0].calls}
    assert by_shard == stream.stored


@on_virtual_time
async def test_latest_delivers_what_is_put_after_ready():
    stream = LocalStream(shards=2)
    stream.put(100)
    async with fan_out(stream, start="LATEST") as reading:
        await reading.wait_ready()
        stream.put(50)
        found = []
        async for batch in reading:
            found += numbers(batch)
            if len(found) == 50:
                break
    assert sorted(found) == list(range(100, 150))


@on_virtual_time
async def test_splits_and_merges_are_followed():
    stream = LocalStream(shards=2)
    async with fan_out(stream) as reading:
        reading_all = asyncio.create_task(read(reading, 1_400))
        stream.put(500)
        stream.merge("shardId-000000000000", "shardId-000000000001")
        stream.put(400)
        await asyncio.sleep(1)
        stream.split("shardId-000000000002")
        stream.put(500)
        assert await reading_all == stream.stored


@on_virtual_time
async def test_a_subscription_that_ends_after_five_minutes_is_followed_by_another_without_gap_or_repeat():
    stream = LocalStream()

    async def write():
        for _ in range(130):
            stream.put(10)
            await asyncio.sleep(10)

    async with fan_out(stream) as reading:
        writing = asyncio.create_task(write())
        found = []
        async for batch in reading:
            found += numbers(batch)
            if len(found) == 1_300:
                break
        await writing
        assert len(subscriptions(reading)) == 5
    assert found == list(range(1_300))


@on_virtual_time
async def test_faults_of_a_third_of_calls_and_events_lose_and_repeat_nothing():
    stream = LocalStream(shards=4)
    watcher = Watcher()

    async def write():
        for _ in range(40):
            stream.put(100)
            await asyncio.sleep(3)

    async with fan_out(stream, client={"faults": 0.3, "rng": random.Random(7)}, observer=watcher) as reading:
        writing = asyncio.create_task(write())
        by_shard = await read(reading, 4_000)
        await writing
    assert by_shard == stream.stored
    assert {"ConnectionResetError", "InternalFailure", "throttled"} <= set(watcher.failures)


@on_virtual_time
async def test_a_slow_application_holds_no_more_than_its_budget_and_an_event_of_each_shard():
    stream = LocalStream(shards=4)
    most = 0
    async with fan_out(stream, prefetch_bytes=2 * MIB) as reading:
        for _ in range(12):
            stream.put(900, size=1_000)
            await asyncio.sleep(1)
            most = max(most, reading.stats.prefetched_bytes)
        found = 0
        async for batch in reading:
            found += len(batch)
            most = max(most, reading.stats.prefetched_bytes)
            if found == stream.total:
                break
            await asyncio.sleep(400)  # longer than a subscription
    assert MIB < most < 2 * MIB + 2 * EVENT
    assert found == 10_800


@on_virtual_time
async def test_two_applications_read_one_stream_side_by_side():
    stream = LocalStream(shards=2)
    stream.put(500)
    async with (
        fan_out(stream, MemoryTable(), application="lake") as first,
        fan_out(stream, MemoryTable(), application="alerts") as second,
    ):
        found = await asyncio.gather(read(first, 500), read(second, 500))
    assert found == [stream.stored, stream.stored]


@on_virtual_time
async def test_a_worker_that_takes_a_shard_over_subscribes_within_the_five_seconds_of_the_other():
    stream, table, watcher = LocalStream(), MemoryTable(), Watcher()
    stream.put(200)
    async with fan_out(stream, table, max_batch_records=100) as first:
        loop = aiter(first)
        await anext(loop)
        assert numbers(await anext(loop)) == list(range(100, 200))
        assert subscriptions(first)
    async with fan_out(stream, table, observer=watcher) as second:
        found = []
        async for batch in second:
            found += numbers(batch)
            if len(found) == 100:
                break
    assert found == list(range(100, 200))
    assert asyncio.get_running_loop().time() < 15
    assert set(watcher.failures) == {"throttled"}


@on_virtual_time
async def test_a_worker_whose_subscription_another_took_does_not_take_it_back():
    stream, table = LocalStream(), MemoryTable()
    async with fan_out(stream, table) as reading:
        await reading.wait_ready()
        [lease] = await table.read()
        assert await table.replace(lease, replace(lease, owner="another", counter=lease.counter + 1))
        await asyncio.sleep(5)
        before = len(subscriptions(reading))
        arn = registered(reading).arn
        request = {"ConsumerARN": arn, "ShardId": "shardId-000000000000", "StartingPosition": {"Type": "LATEST"}}
        stream.call("SubscribeToShard", **request)
        await asyncio.sleep(3)
        assert len(subscriptions(reading)) == before


@on_virtual_time
async def test_a_consumer_that_somebody_deregistered_is_registered_again_and_reading_goes_on():
    stream = LocalStream(shards=2)
    table = MemoryTable()
    stream.put(100)
    async with fan_out(stream, table) as reading:
        by_shard = {}
        loop = aiter(reading)
        while sum(map(len, by_shard.values())) < 100:
            batch = await anext(loop)
            by_shard.setdefault(batch.shard_id, []).extend(each.data for each in batch)
        await asyncio.sleep(10)
        before = registered(reading).arn
        stream.call("DeregisterStreamConsumer", ConsumerARN=before)
        await asyncio.sleep(20)
        stream.put(100)
        while sum(map(len, by_shard.values())) < 200:
            batch = await anext(loop)
            by_shard.setdefault(batch.shard_id, []).extend(each.data for each in batch)
        assert registered(reading).arn != before
        assert not any(lease.checkpoint.is_ended for lease in await table.read())
    assert by_shard == stream.stored


@on_virtual_time
async def test_a_stream_that_is_deleted_ends_the_loop_and_no_shard_counts_as_read_to_its_end():
    stream, table = LocalStream(shards=2), MemoryTable()
    async with fan_out(stream, table) as reading:
        await reading.wait_ready()
        stream.call("DeleteStream", StreamName="trucks", EnforceConsumerDeletion=True)
        deleted_at = asyncio.get_running_loop().time()
        with pytest.raises(StreamNotFoundError):
            async for _ in reading:
                pass
        assert asyncio.get_running_loop().time() < deleted_at + 10
    assert not any(lease.checkpoint.is_ended for lease in await table.read())


@on_virtual_time
async def test_reading_ahead_goes_on_at_once_when_another_shard_has_no_use_for_its_reservation():
    stream = LocalStream(shards=2)
    async with fan_out(stream, prefetch_bytes=MIB) as reading:
        await reading.wait_ready()
        stream.put(800, size=1_000)
        loop, delays = aiter(reading), []
        for _ in range(800):
            async with asyncio.timeout(3):
                batch = await anext(loop)
            delays.append(EPOCH + asyncio.get_running_loop().time() - batch.records[-1].arrival)
            if sum(shard.records for shard in reading.stats.shards.values()) == 800:
                break
    assert max(delays) < 3
