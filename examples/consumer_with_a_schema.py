"""A consumer of records that are no truck reports: it checks them against a schema of its own.

    pip install '.[cli]'
    truckstream local --stream greenhouse              # in another terminal; paste the `export` line that it prints
    echo '{"sensor": 7, "celsius": 31.5}' | truckstream put greenhouse --key-field sensor
    python examples/consumer_with_a_schema.py greenhouse

It prints the warmest reading of each sensor when it changes, and the readings that break the schema. Start it twice,
and the two share the shards. Ctrl-C ends it; the next one continues where this one stopped.
"""

import asyncio
import contextlib
import sys
from typing import Annotated

import msgspec

from truckstream import Consumer


class Reading(msgspec.Struct, forbid_unknown_fields=True):
    """One record of the stream."""

    sensor: Annotated[int, msgspec.Meta(ge=1)]
    celsius: Annotated[float, msgspec.Meta(ge=-60, le=80)]


async def watch(stream: str) -> None:
    """Read the stream until Ctrl-C."""
    decoder = msgspec.json.Decoder(Reading)
    warmest: dict[int, float] = {}
    async with Consumer(stream, application="greenhouse-watch") as consumer:
        async for batch in consumer:  # a batch is checkpointed when the loop asks for the next one
            for record in batch.records:
                try:
                    reading = decoder.decode(record.data)
                except msgspec.DecodeError as error:
                    print(f"{record.shard_id} {record.sequence_number}: {error}", file=sys.stderr, flush=True)
                    continue
                if reading.celsius > warmest.get(reading.sensor, float("-inf")):
                    warmest[reading.sensor] = reading.celsius
                    print(f"sensor {reading.sensor}: {reading.celsius} °C", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(watch(sys.argv[1]))
