"""Evaluate CloudWatch alarms on metrics, by the rules of the CloudWatch user guide (2026-11).

- Samples are grouped into periods that end at the time of the evaluation, and each period with samples gives one data
  point, by the alarm's statistic. Metric math combines data points of the same period; a missing operand gives none,
  unless FILL replaces it. (metric math: "Using math expressions with CloudWatch metrics")
- Of the evaluation range, which is two periods longer than EvaluationPeriods, the most recent EvaluationPeriods data
  points that exist count. If there are fewer, TreatMissingData fills the gap. DatapointsToAlarm of them must breach the
  threshold, all by default. ("How alarm state is evaluated when data is missing")

Only the features that our alarms use are supported. Any other raises an error, so that nothing is ignored.
"""

from __future__ import annotations

import ast
import math
import re
from collections import defaultdict
from operator import add, eq, ge, gt, mul, truediv
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: A data point; None if it is missing.
Point = float | None

_MORE_PERIODS = 2


#: The function whose metrics have this name in the dimension FunctionName. Those of others are not distinguished.
COMPACTION = "CompactionFunction"


class Metrics:
    """Samples of metrics, each with the second at which it was reported."""

    def __init__(self) -> None:
        self._samples: defaultdict[tuple[str, str, bool], list[tuple[float, float]]] = defaultdict(list)

    def add(self, namespace: str, name: str, value: float, *seconds: float, compaction: bool = False) -> None:
        self._samples[namespace, name, compaction] += [(second, value) for second in seconds]

    def points(self, metric: Mapping[str, Any], statistic: str, period: int, now: float, count: int) -> list[Point]:
        """Return the data points of the `count` periods before `now`, the oldest first."""
        compaction = any(row["Value"] == COMPACTION for row in metric.get("Dimensions", ()))
        samples = self._samples[metric["Namespace"], metric["MetricName"], compaction]
        ends = [now - period * back for back in range(count - 1, -1, -1)]
        periods = ([value for second, value in samples if end - period <= second < end] for end in ends)
        return [_STATISTICS[statistic](values) if values else None for values in periods]


_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "p99": lambda values: sorted(values)[math.ceil(0.99 * len(values)) - 1],
}


def rings(alarm: Mapping[str, Any], metrics: Metrics, now: float) -> bool:
    """Return whether an alarm with these properties is in the state ALARM at `now`."""
    periods = int(alarm["EvaluationPeriods"])
    points = _points(alarm, metrics, now, periods + _MORE_PERIODS)
    existing = [point for point in points if point is not None][-periods:]
    breaches = _COMPARISONS[alarm["ComparisonOperator"]]
    breaching = sum(breaches(point, float(alarm["Threshold"])) for point in existing)
    if _MISSING_BREACHES[alarm["TreatMissingData"]]:
        breaching += periods - len(existing)
    return breaching >= int(alarm.get("DatapointsToAlarm", periods))


_COMPARISONS = {"GreaterThanThreshold": gt, "GreaterThanOrEqualToThreshold": ge}
_MISSING_BREACHES = {"notBreaching": False, "breaching": True}


def _points(alarm: Mapping[str, Any], metrics: Metrics, now: float, count: int) -> list[Point]:
    if "Metrics" not in alarm:
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        return metrics.points(alarm, statistic, int(alarm["Period"]), now, count)
    [expression] = [row["Expression"] for row in alarm["Metrics"] if "Expression" in row]
    stats = {row["Id"]: row["MetricStat"] for row in alarm["Metrics"] if "MetricStat" in row}
    assert all(row.get("ReturnData") is False for row in alarm["Metrics"] if "MetricStat" in row)
    series = {
        name: metrics.points(stat["Metric"], stat["Stat"], int(stat["Period"]), now, count)
        for name, stat in stats.items()
    }
    parsed = ast.parse(re.sub(r"\bAND\b", "and", expression), mode="eval").body
    lengths = {name: float(stat["Period"]) for name, stat in stats.items()}
    return [_value(parsed, {name: points[index] for name, points in series.items()}, lengths) for index in range(count)]


def _value(node: ast.expr, point: Mapping[str, Point], lengths: Mapping[str, float]) -> Point:
    """Return the value of an expression of metric math for one period."""
    match node:
        case ast.Constant(float() | int() as number):
            return float(number)
        case ast.Name(name):
            return point[name]
        case ast.Call(ast.Name(function), arguments):
            return _call(function, arguments, point, lengths)
        case ast.BoolOp(ast.And(), parts):
            return _combined(lambda *values: all(values), [_value(part, point, lengths) for part in parts])
        case ast.Compare(left, [operator], [right]) | ast.BinOp(left, operator, right):
            return _combined(_OPERATORS[type(operator)], [_value(side, point, lengths) for side in (left, right)])
    raise AssertionError(f"{ast.unparse(node)} is not supported")


def _call(
    function: str, arguments: Sequence[ast.expr], point: Mapping[str, Point], lengths: Mapping[str, float]
) -> Point:
    match function, arguments:
        case "PERIOD", [ast.Name(name)]:
            return lengths[name]
        case "FILL", [series, default]:
            found = _value(series, point, lengths)
            return _value(default, point, lengths) if found is None else found
        case "MAX", [ast.List(items)]:
            return _combined(max, [_value(item, point, lengths) for item in items])
        case "IF", [condition, yes, no]:
            holds = _value(condition, point, lengths)
            return None if holds is None else _value(yes if holds else no, point, lengths)
    raise AssertionError(f"{function} with {len(arguments)} arguments is not supported")


_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: add,
    ast.Mult: mul,
    ast.Div: truediv,
    ast.Gt: gt,
    ast.Eq: eq,
}


def _combined(function: Callable[..., Any], points: Sequence[Point]) -> Point:
    """Return the function of points of one period; a missing point or a division by zero gives none."""
    if any(point is None for point in points):
        return None
    try:
        return float(function(*points))
    except ZeroDivisionError:
        return None
