# /// script
# requires-python = ">=3.11"
# dependencies = ["aiobotocore==3.10.0", "botocore==1.43.117", "aiohttp==3.14.5", "uvloop==0.23.0"]
# ///
"""aiobotocore's put_records with full batches and without parameter validation. The caller makes the batches."""

from contextlib import asynccontextmanager
from functools import partial

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from harness import compete, in_parallel, until_stored


@asynccontextmanager
async def open_sender(job):
    config = AioConfig(max_pool_connections=job.connections, parameter_validation=False)
    async with get_session().create_client("kinesis", endpoint_url=job.endpoint_url, config=config) as client:

        def put(records):
            return client.put_records(StreamName=job.stream, Records=records)

        yield lambda batch: in_parallel(partial(until_stored, put), batch, job)


if __name__ == "__main__":
    compete(open_sender, ["aiobotocore", "botocore", "aiohttp"])
