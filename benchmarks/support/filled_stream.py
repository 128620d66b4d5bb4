"""Put records into every shard of a local stream, as fast as it takes them."""

import random
import string

from truckstream.kinesis.client import KinesisClient
from truckstream.producer import Producer

KEYS = [f"TRUCK_{number:03}" for number in range(100)]


def some_records(count, size):
    """Return `count` different texts of `size` bytes."""
    chance = random.Random(7)
    letters = string.ascii_letters + string.digits
    return ["".join(chance.choices(letters, k=size)).encode() for _ in range(count)]


async def fill(kinesis, records, size=498, *, pacing=False):
    """Put `records` records of `size` bytes, with 100 keys, into each shard. With quotas, `pacing` keeps to them."""
    network = {"region_name": "us-east-1", "endpoint_url": kinesis.endpoint_url}
    client = KinesisClient(kinesis.stream_name, **network)
    await client.open()
    hash_keys = [str(shard.starting_hash_key) for shard in await client.list_shards()]
    await client.close()
    texts = some_records(1_000, size)
    async with Producer(kinesis.stream_name, pacing=pacing, **network) as producer:
        for number in range(records):
            for hash_key in hash_keys:
                await producer.put(texts[number % 1_000], KEYS[number % 100], explicit_hash_key=hash_key)
    return hash_keys
