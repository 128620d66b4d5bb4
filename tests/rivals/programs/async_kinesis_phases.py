"""async-kinesis puts records in phases, a flush after each but the last, and leaves its context. It prints nothing.

python async_kinesis_phases.py STREAM ENDPOINT SIZE,SIZE,...
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from kinesis import Producer
from kinesis.processors import StringProcessor

STREAM, ENDPOINT, PHASES = sys.argv[1], sys.argv[2], [int(size) for size in sys.argv[3].split(",")]


async def main() -> None:
    numbers = itertools.count()
    place = {"stream_name": STREAM, "endpoint_url": ENDPOINT, "region_name": "us-east-1"}
    async with Producer(**place, processor=StringProcessor()) as producer:
        for phase, size in enumerate(PHASES):
            if phase:
                await producer.flush()
            new = [str(next(numbers)) for _ in range(size)]
            await asyncio.gather(*(producer.put(data, partition_key=f"TRUCK_{data}") for data in new))


asyncio.run(main())
