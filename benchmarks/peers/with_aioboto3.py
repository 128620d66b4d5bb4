# /// script
# requires-python = ">=3.11"
# dependencies = ["aioboto3==15.5.0", "aiobotocore==2.25.1", "aiohttp==3.14.5", "uvloop==0.23.0"]
# ///
"""aioboto3's client. It is the client of the aiobotocore version that aioboto3 pins, used in the same way."""

from contextlib import asynccontextmanager
from functools import partial

import aioboto3
from aiobotocore.config import AioConfig
from harness import compete, in_parallel, until_stored


@asynccontextmanager
async def open_sender(job):
    config = AioConfig(max_pool_connections=job.connections, parameter_validation=False)
    async with aioboto3.Session().client("kinesis", endpoint_url=job.endpoint_url, config=config) as client:

        def put(records):
            return client.put_records(StreamName=job.stream, Records=records)

        yield lambda batch: in_parallel(partial(until_stored, put), batch, job)


if __name__ == "__main__":
    compete(open_sender, ["aioboto3", "aiobotocore"])
