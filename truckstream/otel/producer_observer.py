"""The producer's metrics for OpenTelemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.metrics import PRODUCER_METRICS
from truckstream.otel.levels import Levels
from truckstream.otel.series import UNKNOWN_SHARD, Series
from truckstream.producer import ProducerObserver

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from truckstream.otel.levels import Level
    from truckstream.producer import (
        BatchFailed,
        BatchSent,
        MapRefreshed,
        ProducerStats,
        RecordsAcknowledged,
        RecordsFailed,
        RecordsRetried,
        RecordsThrottled,
        StatsSampled,
    )

__all__ = ["OpenTelemetryObserver"]


class OpenTelemetryObserver(ProducerObserver):
    """Records counters, histograms and up-down counters with OpenTelemetry.

    Args:
        meter_provider: where the metrics go; by default the process's meter provider.
        per_shard: whether each shard has time series of its own, instead of one for the whole stream.
    """

    def __init__(self, meter_provider: MeterProvider | None = None, *, per_shard: bool = True) -> None:
        self._series = Series(PRODUCER_METRICS, "truckstream.producer.", meter_provider, per_shard=per_shard)
        self._levels = Levels(self._series)

    def batch_sent(self, event: BatchSent) -> None:
        self._series.add("requests.sent", 1, event.stream)
        self._series.add_by_shard("records.sent", event.shards, event.stream)
        self._series.record("request.records", event.records, event.stream)

    def batch_failed(self, event: BatchFailed) -> None:
        self._series.add("requests.failed", 1, event.stream, error=event.code)
        self._series.record("request.duration", event.seconds, event.stream)

    def records_acknowledged(self, event: RecordsAcknowledged) -> None:
        self._series.add_by_shard("records.acknowledged", event.shards, event.stream)
        self._series.add("bytes.acknowledged", event.bytes, event.stream)
        if event.maybe_duplicates:
            self._series.add("records.doubtful", event.maybe_duplicates, event.stream)
        self._series.record("request.duration", event.seconds, event.stream)
        self._series.record("delivery.duration", event.oldest_seconds, event.stream)

    def records_throttled(self, event: RecordsThrottled) -> None:
        self._series.add_by_shard("records.throttled", event.shards, event.stream)

    def records_retried(self, event: RecordsRetried) -> None:
        self._series.add_by_shard("records.retried", event.shards, event.stream)

    def records_failed(self, event: RecordsFailed) -> None:
        for code, records in event.codes.items():
            self._series.add("records.failed", records, event.stream, error=code)

    def map_refreshed(self, event: MapRefreshed) -> None:
        self._series.add("map.refreshes", 1, event.stream)

    def stats_sampled(self, event: StatsSampled) -> None:
        """Move the up-down counters from the last sample to this one. The last sample removes the producer's share."""
        share = {} if event.is_last else _levels_of(event.stats)
        self._levels.move(event.producer, event.stream, share)


def _levels_of(stats: ProducerStats) -> dict[Level, int]:
    levels: dict[Level, int] = {
        ("buffer.used", None): stats.buffered_bytes,
        ("requests.in_flight", None): stats.requests_in_flight,
    }
    for shard_id, shard in stats.shards.items():
        name = shard_id or UNKNOWN_SHARD
        levels["records.buffered", name] = shard.buffered
        levels["records.in_flight", name] = shard.in_flight
        if shard.records_per_second is not None:
            levels["shard.pace", name] = round(shard.records_per_second)
    return levels
