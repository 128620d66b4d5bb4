"""A client of a server of tests/kinesis/servers.py, and records for it."""

import contextlib

from truckstream.kinesis.client import KinesisClient
from truckstream.kinesis.encoding import encode_tail


class Record:
    def __init__(self, data, partition_key="TRUCK_001", explicit_hash_key=None):
        self.data = data
        self.tail = encode_tail(partition_key, explicit_hash_key)


RECORDS = [Record(b"a"), Record(b"b")]


@contextlib.asynccontextmanager
async def client_of(endpoint_url, stream="trucks", **options):
    client = KinesisClient(stream, **{"region_name": "us-east-1", "endpoint_url": endpoint_url, **options})
    await client.open()
    try:
        yield client
    finally:
        await client.close()
