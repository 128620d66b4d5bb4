"""The consumer's metrics for OpenTelemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.consumer import ConsumerObserver
from truckstream.metrics import CONSUMER_METRICS
from truckstream.otel.levels import Levels
from truckstream.otel.series import Series
from truckstream.otel.shard_lags import ShardLags, StreamShard

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from truckstream.consumer import (
        AggregateBroken,
        ConsumerStats,
        ConsumerStatsSampled,
        LeaseLost,
        LeaseTaken,
        ReadFailed,
        ReadThrottled,
        RecordsProcessed,
        RecordsRead,
    )
    from truckstream.otel.levels import Level

__all__ = ["OpenTelemetryConsumerObserver"]

_MILLIS = 1000.0


class OpenTelemetryConsumerObserver(ConsumerObserver):
    """Records counters, histograms, up-down counters and a gauge with OpenTelemetry.

    Alarm on the gauge, `truckstream.consumer.behind`: it is `millis_behind_latest` of `Consumer.stats` in seconds, and
    grows while a handler hangs, calls fail or the event loop is blocked.

    Args:
        meter_provider: where the metrics go; by default the process's meter provider.
        per_shard: whether each shard has time series of its own, instead of one for the whole stream.
    """

    def __init__(self, meter_provider: MeterProvider | None = None, *, per_shard: bool = True) -> None:
        self._series = Series(CONSUMER_METRICS, "truckstream.consumer.", meter_provider, per_shard=per_shard)
        self._levels = Levels(self._series)
        self._lags = ShardLags()
        self._series.observe("behind", self._lags.read)

    def lease_taken(self, event: LeaseTaken) -> None:
        self._series.add("leases.taken", 1, event.stream)

    def lease_lost(self, event: LeaseLost) -> None:
        self._series.add("leases.lost", 1, event.stream)

    def records_read(self, event: RecordsRead) -> None:
        self._series.add("records.read", event.records, event.stream, shard=event.shard)
        self._series.add("bytes.read", event.bytes, event.stream)
        self._series.add("reads", 1, event.stream, shard=event.shard)
        if event.seconds:
            self._series.record("read.duration", event.seconds, event.stream)

    def read_throttled(self, event: ReadThrottled) -> None:
        self._series.add("reads.throttled", 1, event.stream, shard=event.shard)

    def read_failed(self, event: ReadFailed) -> None:
        self._series.add("reads.failed", 1, event.stream, error=event.code)

    def aggregate_broken(self, event: AggregateBroken) -> None:
        self._series.add("aggregates.broken", 1, event.stream, error=event.reason)

    def records_processed(self, event: RecordsProcessed) -> None:
        self._series.add("records.processed", event.records, event.stream, shard=event.shard)
        self._series.record("processing.duration", event.seconds, event.stream)

    def stats_sampled(self, event: ConsumerStatsSampled) -> None:
        """Move the up-down counters from the last sample to this one. The last sample removes the consumer's share."""
        worker_id = event.stats.worker_id
        self._levels.move(worker_id, event.stream, {} if event.is_last else _levels_of(event.stats))
        self._lags.replace(worker_id, {} if event.is_last else _lags_of(event))


def _levels_of(stats: ConsumerStats) -> dict[Level, int]:
    own = {name: shard for name, shard in stats.shards.items() if shard.is_own}
    levels: dict[Level, int] = {("leases.held", None): len(own), ("prefetch.used", None): stats.prefetched_bytes}
    for name, shard in own.items():
        levels["records.buffered", name.rpartition(":")[2]] = shard.buffered
    return levels


def _lags_of(event: ConsumerStatsSampled) -> dict[StreamShard, float]:
    """Return the lags of the consumer's own shards, without those that had no response yet."""
    return {
        _place_of(name, event.stream): shard.millis_behind_latest / _MILLIS
        for name, shard in event.stats.shards.items()
        if shard.millis_behind_latest is not None
    }


def _place_of(name: str, stream: str) -> StreamShard:
    """Return the shard of a name in the statistics: its id, or with several streams account:stream:creation:shard."""
    parts = name.split(":")
    return StreamShard(parts[1] if len(parts) > 1 else stream, parts[-1])
