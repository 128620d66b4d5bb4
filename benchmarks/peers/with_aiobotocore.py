# /// script
# requires-python = ">=3.11"
# dependencies = ["aiobotocore==3.10.0", "botocore==1.43.117", "aiohttp==3.14.5", "uvloop==0.23.0"]
# ///
"""aiobotocore's put_records with full batches and without parameter validation; the caller makes batches."""

from contextlib import asynccontextmanager

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from harness import compete, entries, in_parallel


@asynccontextmanager
async def open_sender(job):
    config = AioConfig(max_pool_connections=job.connections, parameter_validation=False)
    async with get_session().create_client("kinesis", endpoint_url=job.endpoint_url, config=config) as client:

        async def send_batch(batch):
            answer = await client.put_records(StreamName="trucks", Records=entries(batch))
            assert answer["FailedRecordCount"] == 0
            assert len(answer["Records"]) == len(batch)

        yield lambda batch: in_parallel(send_batch, batch, job)


if __name__ == "__main__":
    compete(open_sender, ["aiobotocore", "botocore", "aiohttp"])
