# /// script
# requires-python = ">=3.11"
# dependencies = ["async-kinesis==3.0.1", "aiobotocore==3.10.0", "aiohttp==3.14.5", "uvloop==0.23.0"]
# ///
"""async-kinesis's Consumer: strings without further encoding, checkpoints in memory, no metrics.

It asks a shard for records once a second and for no more than its default number; both are set to those of the others.
Its loop ends when no record has come for two seconds, so it is begun again.
"""

import uvloop
from harness import compete
from kinesis import Consumer, MemoryCheckPointer, StringProcessor


async def read(job):
    async with Consumer(
        job.stream,
        endpoint_url=job.endpoint_url,
        region_name="us-east-1",
        processor=StringProcessor(),
        checkpointer=MemoryCheckPointer(name="benchmark"),
        iterator_type="TRIM_HORIZON",
        record_limit=job.limit,
        sleep_time_no_records=0.25,
        max_shard_consumers=job.shards,
        max_queue_size=10 * job.limit,
    ) as consumer:
        count = 0
        while True:
            async for _ in consumer:
                count += 1
                if not count % job.step:
                    yield job.step


if __name__ == "__main__":
    compete(read, ["async-kinesis", "aiobotocore"], loop_factory=uvloop.new_event_loop)
