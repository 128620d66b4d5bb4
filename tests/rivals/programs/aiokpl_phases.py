"""aiokpl puts records in phases, a flush after each but the last, and leaves its context.

python aiokpl_phases.py STREAM ENDPOINT SIZE,SIZE,...      prints how many records it reports as stored
"""

import asyncio
import itertools
import sys
from typing import Any

from aiokpl import Config, Producer

STREAM, ENDPOINT, PHASES = sys.argv[1], sys.argv[2], [int(size) for size in sys.argv[3].split(",")]


async def main(outcomes: list[Any]) -> None:
    config = Config(
        region="us-east-1",
        endpoint_url=ENDPOINT,
        aggregation_enabled=False,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        record_ttl_ms=6_000.0,  # the default of 30 s only repeats the same five times
    )
    numbers = itertools.count()
    async with Producer(config) as producer:
        for phase, size in enumerate(PHASES):
            if phase:
                await producer.flush()
                await asyncio.gather(*(outcome.wait() for outcome in outcomes))
            new = [b"%d" % next(numbers) for _ in range(size)]
            # One after the other, because a task of aiokpl may not be entered from another one.
            outcomes += [
                await producer.put_record(stream=STREAM, partition_key=f"TRUCK_{data}", data=data) for data in new
            ]


async def count(outcomes: list[Any]) -> None:
    """Print how many records are reported as stored; one without an outcome by now will never have one."""
    acknowledged = 0
    for outcome in outcomes:
        try:
            result = await asyncio.wait_for(outcome.wait(), 0.1)
        except TimeoutError:
            continue
        acknowledged += result.success
    sys.stdout.write(str(acknowledged))


async def both() -> None:
    outcomes = []
    try:
        await main(outcomes)
    except Exception as error:  # noqa: BLE001 - a user would see this error, of any type
        sys.stderr.write(repr(error))
    await count(outcomes)


asyncio.run(both())
