"""Put the fleet's reports into the producer: at a given rate, or so that every shard is full.

To fill the shards, each shard has its own fleet: the trucks whose partition keys it owns. One queue for all shards
would advance at the pace of the fullest one, because keys never divide evenly among shards.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from truckstream.fleet import Fleet, truck_ids
from truckstream.fleet.release_schedule import ReleaseSchedule
from truckstream.kinesis.limits import SHARD_RECORDS_PER_SECOND

if TYPE_CHECKING:
    from truckstream.demo.accounting.record_tracker import RecordTracker
    from truckstream.demo.options import DemoOptions
    from truckstream.fleet import Report
    from truckstream.producer import Producer

__all__ = ["put_fleet_reports"]

#: Records that are kept waiting for each shard: enough that its queue is never empty, and few enough that a record
#: spends less than half a second in it.
BACKLOG = 400
#: The same with compression, where a shard takes twenty times as many.
COMPRESSED_BACKLOG = 8_000
TICK_SECONDS = 0.05


async def put_fleet_reports(producer: Producer, tracker: RecordTracker, options: DemoOptions) -> None:
    """Put reports until cancelled: `options.rate` a second or, if that is None, as many as the shards take."""
    if options.rate is None:
        backlog = COMPRESSED_BACKLOG if options.compression else BACKLOG
        await _fill_shards(producer, tracker, _fleets_by_shard(producer, options), backlog)
    else:
        await _put_at_rate(producer, tracker, _fleet(options.trucks, options.rate, options), options.rate)


def _fleet(trucks: int | list[str], rate: float, options: DemoOptions) -> Fleet:
    """Return a fleet of which `rate` reports are to be put in a second.

    In a time lapse they are the reports of a longer time, which begins so much earlier that it ends at the same time.
    """
    start = datetime.now(UTC) - timedelta(seconds=options.seconds * (options.time_lapse - 1.0))
    return Fleet(trucks=trucks, rate=rate / options.time_lapse, seed=options.seed, invalid=options.invalid, start=start)


async def _put_at_rate(producer: Producer, tracker: RecordTracker, fleet: Fleet, rate: float) -> None:
    loop = asyncio.get_running_loop()
    schedule = ReleaseSchedule(rate, loop.time())
    while True:
        for report in fleet.take(schedule.release(loop.time())):
            await _put(producer, tracker, report)
        await asyncio.sleep(max(0.0, schedule.next_release_time() - loop.time()))


def _fleets_by_shard(producer: Producer, options: DemoOptions) -> dict[str | None, Fleet]:
    ids: dict[str | None, list[str]] = {}
    for truck_id in truck_ids(options.trucks):
        ids.setdefault(producer.shard_of(truck_id), []).append(truck_id)
    return {shard_id: _fleet(group, SHARD_RECORDS_PER_SECOND, options) for shard_id, group in ids.items()}


async def _fill_shards(
    producer: Producer, tracker: RecordTracker, fleets: dict[str | None, Fleet], backlog: int
) -> None:
    while True:
        shards = producer.stats.shards
        for shard_id, fleet in fleets.items():
            shard = shards.get(shard_id)
            waiting = shard.buffered + shard.in_flight if shard else 0
            for report in fleet.take(max(0, backlog - waiting)):
                await _put(producer, tracker, report)
        await asyncio.sleep(TICK_SECONDS)


async def _put(producer: Producer, tracker: RecordTracker, report: Report) -> None:
    delivery = await producer.put(report.data, report.truck_id)
    tracker.track(report.data, report.truck_id, report.reason, delivery, time.time())
