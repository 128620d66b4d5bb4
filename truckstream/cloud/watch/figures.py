"""CloudWatch's figures of the last minutes: the queries, and the values computed from their results. No calls to AWS.

A minute without data points is a minute in which nothing happened or nothing was reported. Sums count it as zero, and a
figure without any data point is None rather than 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from truckstream.metrics import DIMENSION, METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["MAX_MINUTES", "Figures", "queries", "summarize"]

PERIOD_SECONDS: Final = 60
#: CloudWatch keeps data points of one minute for 15 days.
MAX_MINUTES: Final = 15 * 24 * 60


def _peak(values: Sequence[float]) -> float:
    return max(values) / PERIOD_SECONDS


@dataclass(frozen=True, slots=True)
class _Computation:
    """How one figure is computed from the minutes of a metric."""

    metric: str
    of_minutes: Callable[[Sequence[float]], float]


_COMPUTATIONS: Final[Mapping[str, _Computation]] = {
    "records_per_second": _Computation("IncomingRecords", _peak),
    "bytes_per_second": _Computation("IncomingBytes", _peak),
    "records": _Computation("IncomingRecords", sum),
    "throttled_writes": _Computation("WriteProvisionedThroughputExceeded", sum),
    "invocations": _Computation("Invocations", sum),
    "errors": _Computation("Errors", sum),
    "throttles": _Computation("Throttles", sum),
    "duration_ms": _Computation("Duration", max),
    "iterator_age_ms": _Computation("IteratorAge", max),
    "stored": _Computation("RecordsStored", sum),
    "rejected": _Computation("RecordsRejected", sum),
    "failed_uploads": _Computation("UploadsFailed", sum),
    "put_latency_ms": _Computation("PutLatency", max),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the last `minutes`; None without data."""

    minutes: int
    #: In the busiest minute.
    records_per_second: float | None = None
    #: In the busiest minute.
    bytes_per_second: float | None = None
    records: float | None = None
    throttled_writes: float | None = None
    invocations: float | None = None
    errors: float | None = None
    throttles: float | None = None
    #: The longest call.
    duration_ms: float | None = None
    iterator_age_ms: float | None = None
    stored: float | None = None
    rejected: float | None = None
    failed_uploads: float | None = None
    #: The highest 99th percentile of a minute.
    put_latency_ms: float | None = None

    @property
    def error_rate(self) -> float | None:
        """Share of failed calls, 0 to 1."""
        return self.errors / self.invocations if self.invocations and self.errors is not None else None


def queries(stream: str | None, function: str | None) -> list[dict[str, Any]]:
    """Return the queries of GetMetricData for a stream and a function, or for one of them."""
    metrics = {metric.name: metric for metric in METRICS}
    asked = []
    for name, row in _COMPUTATIONS.items():
        metric = metrics[row.metric]
        dimension, value = ("StreamName", stream) if metric.namespace == "AWS/Kinesis" else (DIMENSION, function)
        if value:
            stat = {
                "Metric": {
                    "Namespace": metric.namespace,
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": dimension, "Value": value}],
                },
                "Period": PERIOD_SECONDS,
                "Stat": metric.statistic,
            }
            asked.append({"Id": name, "MetricStat": stat})
    return asked


def summarize(results: Sequence[Mapping[str, Any]], minutes: int) -> Figures:
    """Compute the figures from the results of GetMetricData."""
    values: dict[str, list[float]] = {}
    for result in results:
        values.setdefault(result["Id"], []).extend(result["Values"])
    found = {name: float(row.of_minutes(values[name])) for name, row in _COMPUTATIONS.items() if values.get(name)}
    return Figures(minutes, **found)
