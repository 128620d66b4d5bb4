# /// script
# requires-python = ">=3.11"
# dependencies = ["aiokpl==0.2.0", "aiobotocore==3.10.0", "aiohttp==3.14.5", "uvloop==0.23.0"]
# ///
"""aiokpl's Producer, with every outcome awaited. Forms: plain, aggregated.

Where the stream has no quota, its rate limits are set too high to be reached. Its own setting for TLS verification
overrides AWS_CA_BUNDLE, so the name of that file is passed in the setting.
"""

import os
from contextlib import asynccontextmanager

from aiokpl.config import Config
from aiokpl.producer import Producer
from harness import compete

NO_LIMITS = {"rate_limit_records_per_sec_per_shard": 1e12, "rate_limit_bytes_per_sec_per_shard": 1e12}


@asynccontextmanager
async def open_sender(job):
    config = Config(
        region="us-east-1",
        endpoint_url=job.endpoint_url,
        aggregation_enabled=job.form == "aggregated",
        **({} if job.records else NO_LIMITS),
        verify_ssl=os.environ.get("AWS_CA_BUNDLE") or True,
        max_outstanding_records=10_000,
    )
    async with Producer(config) as producer:

        async def send(batch):
            outcomes = [
                await producer.put_record(stream=job.stream, partition_key=key, data=data) for data, key in batch
            ]
            await producer.flush()
            for outcome in outcomes:
                assert (await outcome.wait()).success

        yield send


if __name__ == "__main__":
    compete(open_sender, ["aiokpl", "aiobotocore"])
