"""CloudWatch's figures of the last minutes: which are asked for, and what they come to.

A minute without data points is a minute in which nothing happened, or nothing was reported: sums count it as nothing,
and a figure without any data point is None rather than 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from truckstream.errors import InvalidArgumentError
from truckstream.metrics import DIMENSION, METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from truckstream.cloud.aws_account import Aws

__all__ = ["Figures", "queries", "read_figures", "summarize"]

PERIOD_SECONDS: Final = 60
#: CloudWatch keeps a figure of each minute for 15 days.
MAX_MINUTES: Final = 15 * 24 * 60


def _peak(values: Sequence[float]) -> float:
    return max(values) / PERIOD_SECONDS


@dataclass(frozen=True, slots=True)
class _Row:
    """One figure: the metric it comes from and what is made of its minutes."""

    metric: str
    of_minutes: Callable[[Sequence[float]], float]


_ROWS: Final[Mapping[str, _Row]] = {
    "records_per_second": _Row("IncomingRecords", _peak),
    "bytes_per_second": _Row("IncomingBytes", _peak),
    "records": _Row("IncomingRecords", sum),
    "throttled_writes": _Row("WriteProvisionedThroughputExceeded", sum),
    "invocations": _Row("Invocations", sum),
    "errors": _Row("Errors", sum),
    "throttles": _Row("Throttles", sum),
    "duration_ms": _Row("Duration", max),
    "iterator_age_ms": _Row("IteratorAge", max),
    "stored": _Row("RecordsStored", sum),
    "rejected": _Row("RecordsRejected", sum),
    "failed_uploads": _Row("UploadsFailed", sum),
    "put_latency_ms": _Row("PutLatency", max),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What CloudWatch says of the last `minutes`; None where it has nothing to say."""

    minutes: int
    #: Of the busiest minute.
    records_per_second: float | None = None
    #: Of the busiest minute.
    bytes_per_second: float | None = None
    records: float | None = None
    throttled_writes: float | None = None
    invocations: float | None = None
    errors: float | None = None
    throttles: float | None = None
    #: Of the longest call.
    duration_ms: float | None = None
    iterator_age_ms: float | None = None
    stored: float | None = None
    rejected: float | None = None
    failed_uploads: float | None = None
    #: The 99th percentile of the worst minute.
    put_latency_ms: float | None = None

    @property
    def error_rate(self) -> float | None:
        """Share of the calls that failed, 0 to 1."""
        return self.errors / self.invocations if self.invocations and self.errors is not None else None


def queries(stream: str | None, function: str | None) -> list[dict[str, Any]]:
    """GetMetricData's queries for a stream and a function, as far as there are any."""
    metrics = {metric.name: metric for metric in METRICS}
    asked = []
    for name, row in _ROWS.items():
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
    """GetMetricData's results as figures."""
    values: dict[str, list[float]] = {}
    for result in results:
        values.setdefault(result["Id"], []).extend(result["Values"])
    found = {name: float(row.of_minutes(values[name])) for name, row in _ROWS.items() if values.get(name)}
    return Figures(minutes, **found)


async def read_figures(aws: Aws, *, stream: str | None, function: str | None, now: datetime, minutes: int) -> Figures:
    """The figures of the last `minutes` up to `now`.

    Raises:
        InvalidArgumentError: `minutes` is not from 1 to 21,600, which are 15 days.
        AwsError: CloudWatch refuses.
    """
    if not 1 <= minutes <= MAX_MINUTES:
        raise InvalidArgumentError("minutes", minutes, f"must be from 1 to {MAX_MINUTES}")
    asked = queries(stream, function)
    if not asked:
        return Figures(minutes)
    results: list[Mapping[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        answer = await aws.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=asked,
            StartTime=now - timedelta(minutes=minutes),
            EndTime=now,
            **more,
        )
        results += answer["MetricDataResults"]
        if not (token := answer.get("NextToken")):
            return summarize(results, minutes)
        more = {"NextToken": token}
