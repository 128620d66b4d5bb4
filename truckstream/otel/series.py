"""Instruments of OpenTelemetry, and a bound on the number of their time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

try:
    from opentelemetry import metrics as api
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("truckstream.otel needs OpenTelemetry's API: pip install 'truckstream[otel]'") from error

from truckstream import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.util.types import Attributes

    from truckstream.metrics import Instrument
    from truckstream.otel.shard_lags import StreamShard

__all__ = ["UNKNOWN_SHARD", "Series"]

#: Values of one attribute that get a time series each; later values count as `OTHER`. A stream that is resharded all
#: day, or a proxy that invents error codes, must not fill the memory of the backend that keeps the series.
MAX_VALUES: Final = 1_000
OTHER: Final = "_OTHER"
UNKNOWN_SHARD: Final = "unknown"


class Series:
    """The instruments of a table, by the last part of their names, and the attributes of their values.

    Args:
        table: the metrics.
        prefix: the beginning of all their names.
        meter_provider: where the values go; by default the process's meter provider.
        per_shard: whether each shard has time series of its own.
    """

    def __init__(
        self, table: Iterable[Instrument], prefix: str, meter_provider: MeterProvider | None, *, per_shard: bool
    ) -> None:
        meter = self._meter = api.get_meter("truckstream", __version__, meter_provider)
        self._per_shard = per_shard
        self._known: dict[str, set[str]] = {"shard": set(), "error": set()}
        self._counters: dict[str, api.Counter | api.UpDownCounter] = {}
        self._histograms: dict[str, api.Histogram] = {}
        self._gauges: dict[str, Instrument] = {}
        for row in table:
            self._make(meter, row, row.name.removeprefix(prefix))

    def _make(self, meter: api.Meter, row: Instrument, name: str) -> None:
        if row.kind == "histogram":
            self._histograms[name] = meter.create_histogram(
                row.name, row.unit, row.meaning, explicit_bucket_boundaries_advisory=row.buckets
            )
        elif row.kind == "gauge":
            self._gauges[name] = row
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

    def observe(self, name: str, read: Callable[[], Mapping[StreamShard, float]]) -> None:
        """Have a gauge call `read` for its values whenever the metrics are exported, from the exporter's thread.

        Without series for each shard, a stream has the greatest value of its shards.
        """

        def observations(_: api.CallbackOptions) -> Iterable[api.Observation]:
            greatest: dict[tuple[str, str], float] = {}
            for (stream, shard), value in read().items():
                place = stream, shard if self._per_shard else ""
                greatest[place] = max(greatest.get(place, value), value)
            return [
                api.Observation(value, self._attributes(stream, shard, None))
                for (stream, shard), value in greatest.items()
            ]

        row = self._gauges[name]
        self._meter.create_observable_gauge(row.name, [observations], row.unit, row.meaning)

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
