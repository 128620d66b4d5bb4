"""truckstream puts records in phases, a flush after each but the last, and leaves its context.

python truckstream_phases.py STREAM ENDPOINT SIZE,SIZE,...      prints how many records it reports as stored
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from truckstream import Producer

STREAM, ENDPOINT, PHASES = sys.argv[1], sys.argv[2], [int(size) for size in sys.argv[3].split(",")]


async def main() -> None:
    deliveries, numbers = [], itertools.count()
    async with Producer(STREAM, endpoint_url=ENDPOINT, region_name="us-east-1") as producer:
        for phase, size in enumerate(PHASES):
            if phase:
                await producer.flush()
            new = [b"%d" % next(numbers) for _ in range(size)]
            deliveries += await asyncio.gather(*(producer.put(data, partition_key=f"TRUCK_{data}") for data in new))
    acks = [await delivery for delivery in deliveries]
    sys.stdout.write(str(len(acks)))


asyncio.run(main())
