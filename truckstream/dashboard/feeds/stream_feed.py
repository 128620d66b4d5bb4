"""Fill a view from a stream, with a Consumer."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from truckstream.consumer import Consumer, ConsumerObserver
from truckstream.dashboard.view.figures.traffic import KinesisShare
from truckstream.dashboard.view.source import ViewSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from truckstream.consumer import ConsumerStatsSampled, ReadThrottled
    from truckstream.dashboard.view.fleet_view import FleetView
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["StreamFeed", "stream_source"]

#: Records that are shown before the event loop gets its turn: about 4 ms.
RECORDS_AT_ONCE: Final = 200


def stream_source(stream: str) -> ViewSource:
    """Return the source of a view of a stream."""
    return ViewSource(
        title=stream,
        kind="stream",
        known=frozenset({"shards", "bytes", "throttles", "lag"}),
        meanings={"throttles": "reads", "lag": "seconds behind the stream"},
    )


class StreamFeed:
    """Reads a stream for a view. It begins at new records, and shares nothing, unless its options say otherwise.

    Args:
        view: the view to fill.
        stream: the stream's name or ARN.
        clock: the time in seconds since the epoch.
        **options: further arguments of `Consumer`, such as `start`, `application`, `region_name` and `endpoint_url`.
    """

    def __init__(self, view: FleetView, stream: str, *, clock: Callable[[], float] = time.time, **options: Any) -> None:
        self._view = view
        self._clock = clock
        self.consumer = Consumer(stream, **{"start": "LATEST", **options}, observer=_Watcher(view, clock))

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            StreamNotFoundError, ServiceError: as `Consumer`.
        """
        async with self.consumer:
            async for batch in self.consumer:
                for some in _parts(batch.records):
                    self._observe(batch.shard_id, some)
                    await asyncio.sleep(0)

    def _observe(self, shard_id: str, records: Iterable[ShardRecord]) -> None:
        now, observe = self._clock(), self._view.observe
        for record in records:
            observe(record.data, record.partition_key, shard_id, record.arrival, now, _share_of(record))


def _share_of(record: ShardRecord) -> KinesisShare | None:
    if record.aggregate_records is None or record.aggregate_size is None:
        return None
    return KinesisShare(1 / record.aggregate_records, record.aggregate_size / record.aggregate_records)


def _parts(records: Iterable[ShardRecord]) -> Iterator[list[ShardRecord]]:
    left = iter(records)
    while part := list(islice(left, RECORDS_AT_ONCE)):
        yield part


class _Watcher(ConsumerObserver):
    """Passes the consumer's figures to the view."""

    def __init__(self, view: FleetView, clock: Callable[[], float]) -> None:
        self._view = view
        self._clock = clock

    def read_throttled(self, event: ReadThrottled) -> None:
        self._view.traffic.count_throttled(event.shard, 1, self._clock())

    def stats_sampled(self, event: ConsumerStatsSampled) -> None:
        traffic = self._view.traffic
        shards = event.stats.shards
        traffic.keep_shards(set(shards))
        for shard_id, shard in shards.items():
            traffic.set_shard_lag(shard_id, shard.millis_behind_latest)
        self._view.set_lag(event.stats.millis_behind_latest / 1000)
