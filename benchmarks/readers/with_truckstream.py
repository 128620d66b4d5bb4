"""truckstream's Consumer. Forms: batches, records, run, fan-out (batches, too), and client.

Consumers read all shards without an application, so that their leases are in memory. The form `client` is
`KinesisClient.get_records` in a loop of its own for each shard, as fast as the responses come.
"""

import asyncio
from contextlib import suppress

import uvloop
from harness import compete

from truckstream import Consumer
from truckstream.kinesis.client import KinesisClient
from truckstream.kinesis.reading.position import Position


def consumer_of(job, **options):
    return Consumer(job.stream, region_name="us-east-1", endpoint_url=job.endpoint_url, **options)


async def read_batches(job, **options):
    async with consumer_of(job, **options) as consumer:
        async for batch in consumer:
            yield len(batch)


async def read_records(job):
    async with consumer_of(job) as consumer:
        count = 0
        async for _ in consumer.records():
            count += 1
            if not count % job.step:
                yield job.step


async def read_with_handler(job):
    counts = asyncio.Queue()

    async def handle(batch):
        counts.put_nowait(len(batch))

    async with consumer_of(job) as consumer:
        running = asyncio.create_task(consumer.run(handle))
        try:
            while True:
                yield await counts.get()
        finally:
            consumer.stop()
            await running


async def read_with_client(job):
    client = KinesisClient(job.stream, region_name="us-east-1", endpoint_url=job.endpoint_url)
    await client.open()
    counts = asyncio.Queue(maxsize=job.shards)

    async def read_shard(shard_id):
        iterator = await client.get_shard_iterator(shard_id, Position("TRIM_HORIZON"))
        while iterator:
            page = await client.get_records(iterator, shard_id, job.limit)
            iterator = page.next_iterator
            await counts.put(len(page.records))

    tasks = [asyncio.create_task(read_shard(shard.shard_id)) for shard in await client.list_shards()]
    try:
        while True:
            yield await counts.get()
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await client.close()


FORMS = {
    "batches": read_batches,
    "records": read_records,
    "run": read_with_handler,
    "fan-out": lambda job: read_batches(job, fan_out="benchmark"),
    "client": read_with_client,
}


if __name__ == "__main__":
    compete(
        lambda job: FORMS[job.form](job), ["truckstream", "msgspec", "uvloop", "h2"], loop_factory=uvloop.new_event_loop
    )
