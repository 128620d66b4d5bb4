"""A client for the servers of tests/kinesis/servers.py, and records to put."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from truckstream.kinesis.client import KinesisClient
from truckstream.kinesis.encoding import encode_tail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Record:
    def __init__(self, data: bytes, partition_key: str = "TRUCK_001", explicit_hash_key: str | None = None) -> None:
        self.data = data
        self.tail = encode_tail(partition_key, explicit_hash_key)


RECORDS = [Record(b"a"), Record(b"b")]


@contextlib.asynccontextmanager
async def client_of(endpoint_url: str, stream: str = "trucks", **options: Any) -> AsyncIterator[KinesisClient]:
    client = KinesisClient(stream, **{"region_name": "us-east-1", "endpoint_url": endpoint_url, **options})
    await client.open()
    try:
        yield client
    finally:
        await client.close()
