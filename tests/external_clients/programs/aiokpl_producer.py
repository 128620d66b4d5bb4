"""aiokpl as a producer, with or without aggregation; prints the shard and sequence number of each record.

python aiokpl_producer.py STREAM ENDPOINT COUNT aggregated|single
"""

from __future__ import annotations

import asyncio
import json
import sys

from aiokpl import Config, Producer

STREAM, ENDPOINT, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])


async def main() -> None:
    config = Config(
        region="us-east-1",
        endpoint_url=ENDPOINT,
        aggregation_enabled=sys.argv[4] == "aggregated",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    async with Producer(config) as producer:
        # The aggregator lists the shards in the background; until then it sends each record alone.
        first = [await producer.put_record(stream=STREAM, partition_key="TRUCK_000", data=b"0")]
        await producer.flush()
        await first[0].wait()
        outcomes = first + [
            await producer.put_record(stream=STREAM, partition_key=f"TRUCK_{number % 100:03}", data=b"%d" % number)
            for number in range(1, COUNT)
        ]
        await producer.flush()
        results = [await outcome.wait() for outcome in outcomes]
    assert all(result.success for result in results), results
    sys.stdout.write(json.dumps([[result.shard_id, result.sequence_number] for result in results]))


asyncio.run(main())
