"""The producer's metrics for OpenTelemetry: `pip install 'truckstream[otel]'`.

```python
async with Producer("truck-sensor-stream", observer=OpenTelemetryObserver()) as producer:
```

`truckstream.metrics.PRODUCER_METRICS` lists the metrics. They go to the meter provider that your program has set;
without one, OpenTelemetry's API discards them. One observer may watch any number of producers, of any streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

try:
    from opentelemetry import metrics as api
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("truckstream.otel needs OpenTelemetry's API: pip install 'truckstream[otel]'") from error

from truckstream import __version__
from truckstream.metrics import PRODUCER_METRICS
from truckstream.producer import ProducerObserver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.util.types import Attributes

    from truckstream.metrics import Instrument
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

#: Values of one attribute that get a time series each; later values count as `OTHER`. A stream that is resharded all
#: day, or a proxy that invents error codes, must not fill the memory of the backend that keeps the series.
MAX_VALUES: Final = 1_000
OTHER: Final = "_OTHER"
UNKNOWN_SHARD: Final = "unknown"


class OpenTelemetryObserver(ProducerObserver):
    """Records counters, histograms and up-down counters with OpenTelemetry.

    Args:
        meter_provider: where the metrics go; by default the process's meter provider.
        per_shard: whether each shard has time series of its own, instead of one for the whole stream.
    """

    def __init__(self, meter_provider: MeterProvider | None = None, *, per_shard: bool = True) -> None:
        self._series = _Series(api.get_meter("truckstream", __version__, meter_provider), per_shard=per_shard)
        # The producers' shares of the up-down counters, by the producer's number.
        self._levels: dict[int, dict[_Level, int]] = {}

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
        before = self._levels.pop(event.producer, {})
        now = {} if event.is_last else _levels_of(event.stats)
        for level in {**before, **now}:
            if change := now.get(level, 0) - before.get(level, 0):
                name, shard = level
                self._series.add(name, change, event.stream, shard=shard)
        if now:
            self._levels[event.producer] = now


#: The name of an up-down counter, and the shard if it is counted by shard.
_Level = tuple[str, str | None]


def _levels_of(stats: ProducerStats) -> dict[_Level, int]:
    levels: dict[_Level, int] = {
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


class _Series:
    """The instruments of PRODUCER_METRICS, by the last part of their names, and the attributes of their values."""

    def __init__(self, meter: api.Meter, *, per_shard: bool) -> None:
        self._per_shard = per_shard
        self._known: dict[str, set[str]] = {"shard": set(), "error": set()}
        self._counters: dict[str, api.Counter | api.UpDownCounter] = {}
        self._histograms: dict[str, api.Histogram] = {}
        for row in PRODUCER_METRICS:
            self._make(meter, row, row.name.removeprefix("truckstream.producer."))

    def _make(self, meter: api.Meter, row: Instrument, name: str) -> None:
        if row.kind == "histogram":
            self._histograms[name] = meter.create_histogram(
                row.name, row.unit, row.meaning, explicit_bucket_boundaries_advisory=row.buckets
            )
        elif row.kind == "counter":
            self._counters[name] = meter.create_counter(row.name, row.unit, row.meaning)
        else:
            self._counters[name] = meter.create_up_down_counter(row.name, row.unit, row.meaning)

    def add(self, name: str, amount: int, stream: str, *, shard: str | None = None, error: str | None = None) -> None:
        self._counters[name].add(amount, self._attributes(stream, shard, error))

    def add_by_shard(self, name: str, shards: Mapping[str | None, int], stream: str) -> None:
        if not self._per_shard:
            self.add(name, sum(shards.values()), stream)
            return
        for shard_id, amount in shards.items():
            self.add(name, amount, stream, shard=shard_id or UNKNOWN_SHARD)

    def record(self, name: str, value: float, stream: str) -> None:
        self._histograms[name].record(value, self._attributes(stream, None, None))

    def _attributes(self, stream: str, shard: str | None, error: str | None) -> Attributes:
        attributes = {"aws.kinesis.stream_name": stream}
        if shard is not None and self._per_shard:
            attributes["aws.kinesis.shard_id"] = self._bounded("shard", shard)
        if error is not None:
            attributes["error.type"] = self._bounded("error", error)
        return attributes

    def _bounded(self, attribute: str, value: str) -> str:
        known = self._known[attribute]
        if value not in known:
            if len(known) >= MAX_VALUES:
                return OTHER
            known.add(value)
        return value
