"""async-kinesis as producer and as consumer of one stream; prints the numbers that it read back.

python async_kinesis_both.py STREAM ENDPOINT COUNT
"""

from __future__ import annotations

import asyncio
import json
import sys

from kinesis import Consumer, Producer

STREAM, ENDPOINT, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
SECONDS = 30


async def main() -> None:
    place = {"stream_name": STREAM, "endpoint_url": ENDPOINT, "region_name": "us-east-1"}
    async with Producer(**place, buffer_time=0.1) as producer:
        for number in range(COUNT):
            await producer.put({"number": number}, partition_key=f"TRUCK_{number % 100:03}")
        await producer.flush()
    seen = []
    async with Consumer(**place, sleep_time_no_records=0.3) as consumer, asyncio.timeout(SECONDS):
        while len(seen) < COUNT:
            seen += [record["number"] async for record in consumer]
    sys.stdout.write(json.dumps(sorted(seen)))


asyncio.run(main())
