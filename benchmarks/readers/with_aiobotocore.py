# /// script
# requires-python = ">=3.11"
# dependencies = ["aiobotocore==3.10.0", "botocore==1.43.117", "aiohttp==3.14.5", "uvloop==0.23.0"]
# ///
"""aiobotocore's get_records, in a loop of its own for each shard, as fast as the responses come.

It has no leases, no checkpoints and no pacing, and knows nothing of aggregates.
"""

import asyncio
from contextlib import suppress

import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from harness import compete


async def read(job):
    config = AioConfig(max_pool_connections=job.shards, parameter_validation=False)
    async with get_session().create_client(
        "kinesis", region_name="us-east-1", endpoint_url=job.endpoint_url, config=config
    ) as client:
        counts = asyncio.Queue(maxsize=job.shards)

        async def read_shard(shard_id):
            found = await client.get_shard_iterator(
                StreamName=job.stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
            )
            iterator = found["ShardIterator"]
            while iterator:
                page = await client.get_records(ShardIterator=iterator, Limit=job.limit)
                iterator = page.get("NextShardIterator")
                await counts.put(len(page["Records"]))

        shards = await client.list_shards(StreamName=job.stream)
        tasks = [asyncio.create_task(read_shard(shard["ShardId"])) for shard in shards["Shards"]]
        try:
            while True:
                yield await counts.get()
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


if __name__ == "__main__":
    compete(read, ["aiobotocore", "botocore", "aiohttp"], loop_factory=uvloop.new_event_loop)
