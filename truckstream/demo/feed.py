"""From the fleet into the producer: at a given rate, or so that every shard is full.

To fill the shards, each gets the trucks whose keys it takes, and as many reports as it accepts. One queue for all
would run at the pace of the fullest shard, because keys never divide evenly.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from truckstream.fleet import Fleet, truck_ids
from truckstream.kinesis.limits import SHARD_RECORDS_PER_SECOND

if TYPE_CHECKING:
    from truckstream.demo.ledger import Ledger
    from truckstream.fleet import Report
    from truckstream.producer import Producer

__all__ = ["feed"]

#: Records that wait for a shard at any time: enough that its pace never finds an empty queue, and few enough that
#: the time in the queue stays under half a second.
BACKLOG = 400
TICK_SECONDS = 0.05


async def feed(
    producer: Producer, ledger: Ledger, *, trucks: int, rate: float | None, invalid: float, seed: int
) -> None:
    """Put reports for ever, `rate` a second or, with None, as many as the shards take."""
    if rate is None:
        await _fill(producer, ledger, _fleets_by_shard(producer, trucks, invalid, seed))
    else:
        async for report in Fleet(trucks=trucks, rate=rate, seed=seed, invalid=invalid):
            await _put(producer, ledger, report)


def _fleets_by_shard(producer: Producer, trucks: int, invalid: float, seed: int) -> dict[str | None, Fleet]:
    ids: dict[str | None, list[str]] = {}
    for truck_id in truck_ids(trucks):
        ids.setdefault(producer.shard_of(truck_id), []).append(truck_id)
    return {
        shard_id: Fleet(trucks=group, rate=SHARD_RECORDS_PER_SECOND, seed=seed, invalid=invalid)
        for shard_id, group in ids.items()
    }


async def _fill(producer: Producer, ledger: Ledger, fleets: dict[str | None, Fleet]) -> None:
    while True:
        shards = producer.stats.shards
        for shard_id, fleet in fleets.items():
            shard = shards.get(shard_id)
            waiting = shard.buffered + shard.in_flight if shard else 0
            for report in fleet.take(max(0, BACKLOG - waiting)):
                await _put(producer, ledger, report)
        await asyncio.sleep(TICK_SECONDS)


async def _put(producer: Producer, ledger: Ledger, report: Report) -> None:
    delivery = await producer.put(report.data, report.truck_id)
    ledger.put(report.data, report.truck_id, report.reason, delivery, time.time())
