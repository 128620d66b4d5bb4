"""The Consumer on uvloop, and with tasks that are eager: they run until their first wait before `create_task` returns.

A plain loop is what the other tests use.
"""

import asyncio
import functools
from collections import defaultdict

import pytest
import uvloop

from tests.consumer.freezing_loop import FreezingLoop
from tests.consumer.test_many_workers import play
from tests.consumer.worker_group import with_workers
from truckstream.consumer import Consumer
from truckstream.consumer.tables import MemoryTable, SqliteTable
from truckstream.local import LocalKinesis

FIRST = "shardId-000000000000"
HAS_EAGER_TASKS = hasattr(asyncio, "eager_task_factory")
needs_eager_tasks = pytest.mark.skipif(not HAS_EAGER_TASKS, reason="tasks cannot be eager before Python 3.12")


def run_eagerly(main):
    async def with_eager_tasks():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await main

    asyncio.run(with_eager_tasks())


RUNNERS = [
    pytest.param(uvloop.run, id="uvloop"),
    pytest.param(run_eagerly, marks=needs_eager_tasks, id="eager"),
]
on_both = pytest.mark.parametrize("run", RUNNERS)

pytestmark = pytest.mark.usefixtures("fake_credentials")


class Stream:
    """A stream of a local Kinesis, and the numbers of the records that were delivered, by shard and in order."""

    def __init__(self, kinesis):
        self.kinesis = kinesis
        self.count = 0
        self.delivered = defaultdict(list)

    def consumer(self, **options):
        where = {"endpoint_url": self.kinesis.endpoint_url, "region_name": "us-east-1"}
        return Consumer(self.kinesis.stream_name, **where, **options)

    async def put(self, count):
        numbers = range(self.count, self.count + count)
        self.count += count
        records = [{"Data": b"%d" % number, "PartitionKey": f"TRUCK_{number % 50}"} for number in numbers]
        response = await self.kinesis.call("PutRecords", StreamName=self.kinesis.stream_name, Records=records)
        assert not response["FailedRecordCount"]

    async def split(self):
        await self.kinesis.call(
            "SplitShard", StreamName=self.kinesis.stream_name, ShardToSplit=FIRST, NewStartingHashKey=str(2**126)
        )

    def deliver(self, batch):
        self.delivered[batch.shard_id] += [int(record.data) for record in batch]

    async def until_all_is_delivered(self):
        async with asyncio.timeout(40):
            while sum(map(len, self.delivered.values())) < self.count:  # noqa: ASYNC110 - of several loops
                await asyncio.sleep(0.05)

    async def check(self):
        """Check that each shard's records were delivered once and in order."""
        stored = defaultdict(list)
        async for record in self.kinesis.stored():
            stored[record.shard_id].append(int(record.data))
        assert self.delivered == stored


@on_both
def test_two_workers_share_a_stream_follow_a_split_and_hand_over(run, tmp_path):
    async def loop_over(stream, consumer):
        async for batch in consumer:
            stream.deliver(batch)

    async def main():
        async with LocalKinesis(shards=2, quotas=False) as kinesis, asyncio.TaskGroup() as tasks:
            stream = Stream(kinesis)
            options = {"application": "lake", "lease_duration": 2.0}
            await stream.put(400)
            async with stream.consumer(leases=SqliteTable(tmp_path / "leases.sqlite"), **options) as second:
                async with stream.consumer(leases=SqliteTable(tmp_path / "leases.sqlite"), **options) as first:
                    tasks.create_task(loop_over(stream, first))
                    tasks.create_task(loop_over(stream, second))
                    await stream.split()
                    await stream.put(400)
                    await stream.until_all_is_delivered()
                    first.stop()
                await stream.put(400)
                await stream.until_all_is_delivered()
                second.stop()
            await stream.check()

    run(main())


@on_both
def test_handlers_of_one_shard_work_at_the_same_time_and_the_next_consumer_goes_on(run):
    async def main():
        async with LocalKinesis(shards=2, quotas=False) as kinesis:
            stream, table, keys = Stream(kinesis), MemoryTable(), defaultdict(list)

            async def handle(batch):
                await asyncio.sleep(0)
                for record in batch:
                    keys[record.partition_key].append(int(record.data))
                    stream.delivered[record.shard_id].append(int(record.data))

            for _ in range(2):
                await stream.put(400)
                async with stream.consumer(application="lake", leases=table) as consumer:
                    running = asyncio.create_task(consumer.run(handle, concurrency_per_shard=4))
                    await stream.until_all_is_delivered()
                    consumer.stop()
                    await running
            assert keys == {f"TRUCK_{key}": list(range(key, 800, 50)) for key in range(50)}

    run(main())


@on_both
def test_a_subscription_delivers_before_and_after_a_split(run):
    async def main():
        async with LocalKinesis(shards=2, quotas=False) as kinesis:
            stream = Stream(kinesis)
            await stream.put(400)
            async with stream.consumer(leases=MemoryTable(), fan_out=True) as consumer, asyncio.timeout(40):
                async for batch in consumer:
                    stream.deliver(batch)
                    found = sum(map(len, stream.delivered.values()))
                    if found == 400 and stream.count == 400:
                        await stream.split()
                        await stream.put(400)
                    if found == 800:
                        break
            await stream.check()

    run(main())


@on_both
def test_a_cancelled_loop_loses_nothing(run):
    async def main():
        async with LocalKinesis(shards=1, quotas=False) as kinesis:
            stream = Stream(kinesis)
            async with stream.consumer(leases=MemoryTable(), max_batch_records=100) as consumer:
                waiting = asyncio.ensure_future(anext(aiter(consumer)))
                await stream.put(400)
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
                async with asyncio.timeout(40):
                    async for batch in consumer:
                        stream.deliver(batch)
                        if sum(map(len, stream.delivered.values())) == 400:
                            break
            await stream.check()

    run(main())


class EagerFreezingLoop(FreezingLoop):
    def __init__(self):
        super().__init__()
        self.set_task_factory(asyncio.eager_task_factory)


@needs_eager_tasks
@pytest.mark.parametrize("seed", range(3))
@functools.partial(with_workers, make_loop=EagerFreezingLoop)
async def test_histories_of_workers_with_eager_tasks(seed):
    await play(seed)
