# /// script
# requires-python = ">=3.11"
# dependencies = ["boto3==1.43.117", "botocore==1.43.117", "urllib3==2.8.0"]
# ///
"""boto3's put_records with full batches and one thread a connection. The caller makes the batches."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import boto3
from botocore.config import Config
from harness import backoff, batches, compete, entries, rejected


@contextmanager
def open_sender(job):
    config = Config(max_pool_connections=job.connections, parameter_validation=False)
    client = boto3.client("kinesis", endpoint_url=job.endpoint_url, config=config)

    def send_batch(batch):
        for attempt in range(1_000):
            batch = rejected(batch, client.put_records(StreamName=job.stream, Records=entries(batch)))
            if not batch:
                return
            time.sleep(backoff(attempt))

    with ThreadPoolExecutor(job.connections) as pool:
        yield lambda records: list(pool.map(send_batch, batches(records, job.batch)))


if __name__ == "__main__":
    compete(open_sender, ["boto3", "botocore"])
