# /// script
# requires-python = ">=3.11"
# dependencies = ["async-kinesis==3.0.1", "aiobotocore==3.10.0", "aiohttp==3.14.5", "uvloop==0.23.0"]
# ///
"""async-kinesis's Producer: strings without further encoding, batches of 500, no metrics. Forms: default, unthrottled.

The batch size is set to 499, because the producer sends one record more. No option turns its throttles off. Where the
stream has no quota, their limits are set too high to be reached, but each record still searches the log of the last
second. The form `unthrottled` removes the throttles through private attributes, which no user would do. The producer
has one request in flight at a time, and no option changes that.
"""

from contextlib import asynccontextmanager

from harness import compete
from kinesis import Producer, StringProcessor

NO_LIMITS = {"put_rate_limit_per_shard": 10**12, "put_bandwidth_limit_per_shard": 10**12}


@asynccontextmanager
async def open_sender(job):
    sent = 0

    async def count(items):
        nonlocal sent
        sent += len(items)

    async with Producer(
        job.stream,
        endpoint_url=job.endpoint_url,
        batch_size=job.batch - 1,
        max_queue_size=10_000,
        **({} if job.records else NO_LIMITS),
        processor=StringProcessor(),
        after_flush_fun=count,
    ) as producer:
        if job.form == "unthrottled":
            producer.put_rate_throttle.rate_limit = producer.put_bandwidth_throttle.size_limit = None

        async def send(batch):
            nonlocal sent
            sent = 0
            for data, key in batch:
                await producer.put(data.decode(), partition_key=key)
            await producer.flush()
            assert sent == len(batch)

        yield send


if __name__ == "__main__":
    compete(open_sender, ["async-kinesis", "aiobotocore"])
