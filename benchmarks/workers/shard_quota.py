"""How much of its shards' read quota of 2 MiB a second does one consumer reach?

The local Kinesis enforces the quotas in a process of its own. Its shards are filled first, at their write quota, with
records of 1,016 bytes and keys of 9, of which a shard takes 1,000 a second.
"""

import time
from collections import Counter

from support.filled_stream import KEYS, fill

from truckstream import Consumer
from truckstream.local import LocalKinesis

RECORD_BYTES = 1_016
QUOTA_BYTES = 2 * 1024 * 1024
#: A shard begins with a burst.
WARM_UP_SECONDS = 2.0
#: What a shard holds beyond the quota of the measured time, so that it does not run out.
SPARE_BYTES = 3 * QUOTA_BYTES


async def measure(shards, seconds, *, fan_out):
    """Return one row of the table."""
    size = RECORD_BYTES + len(KEYS[0])
    records = int(((seconds + WARM_UP_SECONDS) * QUOTA_BYTES + SPARE_BYTES) / size)
    async with LocalKinesis(shards=shards, own_process=True, max_bytes=None) as kinesis:
        await fill(kinesis, records, RECORD_BYTES, pacing=True)
        network = {"region_name": "us-east-1", "endpoint_url": kinesis.endpoint_url}
        async with Consumer(kinesis.stream_name, fan_out="benchmark" if fan_out else False, **network) as consumer:
            read, batches, cpu, took = await count_bytes(consumer, records * shards, size, seconds)
            throttled = sum(shard.throttled for shard in consumer.stats.shards.values())
    return {
        "shards": shards,
        "fan_out": fan_out,
        "mib_per_second_and_shard": sum(read.values()) / took / shards / 1024 / 1024,
        "quota_share": sum(read.values()) / took / shards / QUOTA_BYTES,
        "least_full_shard": min(read.values()) / took / QUOTA_BYTES,
        "throttled": throttled,
        "records_per_batch": sum(read.values()) / size / batches,
        "cpu_us_per_record": cpu * 1e6 * size / sum(read.values()),
    }


async def count_bytes(consumer, records, size, seconds):
    """Return the bytes of each shard in `seconds` after the warm-up, their batches, CPU seconds and exact seconds.

    A page counts for the time between the first page after the warm-up and the last one: the first is left out.
    """
    read, first, last = Counter(), {}, {}
    opened = time.monotonic()
    cpu, batches = 0.0, 0
    async for batch in consumer:
        now = time.monotonic()
        records -= len(batch)
        if now < opened + WARM_UP_SECONDS:
            cpu = time.process_time()
            continue
        if batch.shard_id in first:
            read[batch.shard_id] += len(batch) * size
            batches += 1
            last[batch.shard_id] = now
        first.setdefault(batch.shard_id, now)
        if now > opened + WARM_UP_SECONDS + seconds or not records:
            break
    took = sum(last[shard] - first[shard] for shard in last) / len(last)
    return read, batches, time.process_time() - cpu, took
