"""The whole pipeline in one process, with failures: Fleet, Producer, local Kinesis, event source mapping and Batcher.

Every test checks that the objects hold each record that the stream acknowledged exactly once.
"""

import asyncio
from collections import Counter

import obstore
import obstore.store
import pytest

from truckstream import Batcher, Fleet, Producer, audit
from truckstream.local import EventSourceMapping, LocalKinesis

pytestmark = pytest.mark.usefixtures("fake_credentials")


class BatcherFunction:
    """The handler as an async callable over a store that may fail."""

    def __init__(self, store, **options):
        self.batcher = Batcher(store, **options)
        self.responses = []

    async def __call__(self, event, context):
        deadline = asyncio.get_running_loop().time() + context.get_remaining_time_in_millis() / 1000
        result = await self.batcher.process(event["Records"], deadline=deadline)
        self.responses.append(result.batch_item_failures())
        return self.responses[-1]


class FailingStore:
    """A memory store that fails the PUTs with these numbers, before or after the object is stored."""

    def __init__(self, before=(), after=()):
        self.inner = obstore.store.MemoryStore()
        self._before, self._after = set(before), set(after)
        self.puts = 0

    async def put_async(self, path, file, **options):
        self.puts += 1
        number = self.puts
        if number in self._before:
            raise OSError("503 SlowDown")
        stored = await asyncio.to_thread(self.inner.put, path, file, **options)
        if number in self._after:
            raise OSError("connection reset")
        return stored

    async def get_async(self, path, **options):
        return await self.inner.get_async(path, **options)  # called only after a conflict


def lines_of(store, prefix):
    found = []
    for batch in obstore.list(store, prefix=prefix):
        for meta in batch:
            found += bytes(obstore.get(store, meta["path"]).bytes()).splitlines()
    return found


def sizes_of(store):
    return [
        bytes(obstore.get(store, meta["path"]).bytes()).count(b"\n")
        for batch in obstore.list(store, prefix="sensor_data")
        for meta in batch
    ]


async def send(kinesis, records, **options):
    """Put (data, key) pairs through a producer and return their acks."""
    async with Producer(
        kinesis.stream_name, region_name="us-east-1", endpoint_url=kinesis.endpoint_url, **options
    ) as producer:
        deliveries = await producer.put_many(records)
    return [delivery.result() for delivery in deliveries]


async def verified(store, kinesis):
    """Return the report of an audit that has found nothing wrong, also compared with the stream."""
    where = {"region_name": "us-east-1", "endpoint_url": kinesis.endpoint_url}
    report = await audit(store, stream=kinesis.stream_name, settle=0, **where)
    assert (report.findings, report.exit_status) == ((), 0)
    return report


async def test_every_record_is_stored_once_in_objects_of_700():
    reports = [(report.data, report.truck_id) for report in Fleet(trucks=50, seed=3).take(5_000)]
    store = obstore.store.MemoryStore()
    async with LocalKinesis(shards=1, quotas=False) as kinesis:
        await send(kinesis, reports, pacing=False)
        async with EventSourceMapping(kinesis, BatcherFunction(store)) as mapping:
            await mapping.drain(timeout=20)
            assert mapping.stats.records == 5_000
        [shard] = (await verified(store, kinesis)).shards
    assert (shard.compared, shard.waiting) == (5_000, 0)
    assert Counter(lines_of(store, "sensor_data")) == Counter(data for data, _ in reports)
    assert sorted(sizes_of(store), reverse=True)[:7] == [700] * 7


async def test_only_records_that_break_a_rule_are_rejected():
    reports = Fleet(trucks=50, seed=4, invalid=0.3).take(2_000)
    store = obstore.store.MemoryStore()
    async with LocalKinesis(shards=2, quotas=False) as kinesis:
        await send(kinesis, [(report.data, report.truck_id) for report in reports], pacing=False)
        async with EventSourceMapping(kinesis, BatcherFunction(store)) as mapping:
            await mapping.drain(timeout=20)
        await verified(store, kinesis)
    valid = Counter(report.data for report in reports if report.valid)
    assert Counter(lines_of(store, "sensor_data")) == valid
    assert len(lines_of(store, "rejected")) == 2_000 - valid.total()


@pytest.mark.parametrize("seed", range(5))
async def test_a_failing_store_causes_redeliveries_and_loses_no_record(seed):
    """PUTs fail before and after the object is stored. The mapping delivers again from the start of a group."""
    reports = [(report.data, report.truck_id) for report in Fleet(trucks=20, seed=seed).take(3_000)]
    store = FailingStore(before={2 + seed, 5}, after={3, 6 + seed})
    function = BatcherFunction(store, batch_size=200)
    async with LocalKinesis(shards=1, quotas=False) as kinesis:
        await send(kinesis, reports, pacing=False)
        async with EventSourceMapping(kinesis, function, batch_size=1_000) as mapping:
            await mapping.drain(timeout=40)
        await verified(store.inner, kinesis)
    assert any(response["batchItemFailures"] for response in function.responses)
    assert Counter(lines_of(store.inner, "sensor_data")) == Counter(data for data, _ in reports)


async def test_records_that_the_shard_throttles_are_sent_again_and_stored_once():
    """Without pacing the shard throttles most of 2,500 records at first. All of them arrive once."""
    reports = [(b'{"n":%d}' % number, f"TRUCK_{number % 9:03}") for number in range(2_500)]
    store = obstore.store.MemoryStore()
    async with LocalKinesis(shards=1) as kinesis:
        acks = await send(kinesis, reports, pacing=False)
        stats = await kinesis.stats()
        async with EventSourceMapping(kinesis, BatcherFunction(store, schema=None)) as mapping:
            await mapping.drain(timeout=20)
    assert stats.shards["shardId-000000000000"].records_throttled > 0
    assert max(ack.attempts for ack in acks) > 1
    assert not any(ack.maybe_duplicate for ack in acks)
    assert Counter(lines_of(store, "sensor_data")) == Counter(data for data, _ in reports)


async def test_a_split_while_sending_stores_each_record_once():
    """A producer that sends records again after a response with an unknown shard stores one record 154 times here."""
    first, second = (
        [(b'{"n":%d}' % number, f"KEY_{number}") for number in range(*part)] for part in ((0, 600), (600, 1_800))
    )
    store = obstore.store.MemoryStore()
    async with LocalKinesis(shards=1, quotas=False) as kinesis:
        async with Producer(
            kinesis.stream_name, region_name="us-east-1", endpoint_url=kinesis.endpoint_url, linger=0.01
        ) as producer:
            await producer.put_many(first)
            await kinesis.call(
                "SplitShard",
                StreamName=kinesis.stream_name,
                ShardToSplit="shardId-000000000000",
                NewStartingHashKey=str(2**127),
            )
            deliveries = await producer.put_many(second)
            await producer.flush()
            assert producer.stats.sent == producer.stats.acked == 1_800
        async with EventSourceMapping(kinesis, BatcherFunction(store, schema=None)) as mapping:
            await mapping.drain(timeout=20)
        assert len((await verified(store, kinesis)).shards) == 3
    assert {delivery.result().shard_id for delivery in deliveries} == {"shardId-000000000001", "shardId-000000000002"}
    assert Counter(lines_of(store, "sensor_data")) == Counter(data for data, _ in first + second)


async def test_parallel_lanes_of_a_shard_store_each_record_once():
    """Each of the concurrent calls has the records of some keys, so that the groups of the shard interleave."""
    reports = [(report.data, report.truck_id) for report in Fleet(trucks=50, seed=3).take(3_000)]
    store = obstore.store.MemoryStore()
    async with LocalKinesis(shards=1, quotas=False) as kinesis:
        await send(kinesis, reports, pacing=False)
        function = BatcherFunction(store, batch_size=100)
        async with EventSourceMapping(kinesis, function, batch_size=500, parallelization_factor=4) as mapping:
            await mapping.drain(timeout=20)
        [shard] = (await verified(store, kinesis)).shards
    assert (shard.compared, shard.valid) == (3_000, 3_000)
    assert shard.interleaved > 0
