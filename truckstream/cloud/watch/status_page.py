"""The status page as values, and their computation from AWS's responses. Nothing in here calls AWS."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from truckstream.cloud.watch.figures import Figures

__all__ = [
    "AlarmState",
    "LogLine",
    "ObjectSummary",
    "Status",
    "alarm_states",
    "delivery_failed",
    "describe_function",
    "describe_mapping",
    "describe_stream",
    "last_errors",
    "newest_objects",
    "object_listings",
]

#: Number of newest objects and errors on the page.
SHOWN: Final = 5

#: The members of AWS's descriptions that are shown.
_STREAM: Final = ("StreamName", "StreamStatus", "OpenShardCount", "RetentionPeriodHours", "EncryptionType")
_MAPPING: Final = ("UUID", "State", "LastProcessingResult", "BatchSize", "MaximumBatchingWindowInSeconds")
_FUNCTION: Final = ("FunctionName", "State", "Runtime", "MemorySize", "Timeout", "LastModified", "LastUpdateStatus")


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """One of the newest objects."""

    key: str
    size: int
    time: datetime


@dataclass(frozen=True, slots=True)
class AlarmState:
    """An alarm; `state` is OK, ALARM, or INSUFFICIENT_DATA before the first measurement."""

    name: str
    state: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One of the last errors in the function's log."""

    time: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """The page. Missing parts are None; `unread` has the errors of reads that failed."""

    stack: str | None
    stream: dict[str, Any] | None
    mapping: dict[str, Any] | None
    function: dict[str, Any] | None
    bucket: str | None
    figures: Figures
    alarms: tuple[AlarmState, ...] = ()
    objects: tuple[ObjectSummary, ...] = ()
    errors: tuple[LogLine, ...] = ()
    unread: tuple[str, ...] = field(default=())

    @property
    def healthy(self) -> bool:
        """False if an alarm is active, a part is missing, or a read failed."""
        whole = self.stream is not None and self.function is not None and self.mapping is not None
        return whole and not self.unread and not any(alarm.state == "ALARM" for alarm in self.alarms)


def describe_stream(response: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the members of a stream's description that are shown, or None if there is no stream."""
    return None if response is None else _pick(response, _STREAM)


def describe_mapping(response: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the members of a mapping's description that are shown, or None if there is no mapping."""
    return None if response is None else _pick(response, _MAPPING)


def describe_function(response: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the members of a function's description that are shown, or None if there is no function."""
    return None if response is None else _pick(response, _FUNCTION)


def delivery_failed(result: str) -> bool:
    """Return whether a mapping's LastProcessingResult reports a failure, such as "PROBLEM: Function call failed"."""
    return any(sign in result.upper() for sign in ("PROBLEM", "FAIL"))


def _pick(response: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: response[name] for name in names if name in response}


def alarm_states(response: Mapping[str, Any]) -> tuple[AlarmState, ...]:
    """Return the alarms in a response of DescribeAlarms: active ones first, then by name."""
    rows = response.get("MetricAlarms", ())
    found = [AlarmState(row["AlarmName"], row["StateValue"], row.get("StateUpdatedTimestamp")) for row in rows]
    return tuple(sorted(found, key=lambda alarm: (alarm.state != "ALARM", alarm.name)))


def object_listings(variables: Mapping[str, str], now: datetime, minutes: int) -> Iterator[tuple[str, str]]:
    """Yield the prefix, and the key to start after, of each listing that covers the period, the oldest first.

    Args:
        variables: the environment variables of the function, which select the layout of the keys.
        now: the end of the period.
        minutes: the length of the period.
    """
    prefix = variables.get("PREFIX", "sensor_data")
    start = (now - timedelta(minutes=minutes)).astimezone(UTC)
    if variables.get("LAYOUT") != "hive":
        yield f"{prefix}/", f"{prefix}/batch_{start:%Y-%m-%dT%H-%M-%S}"
        return
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour <= now:
        yield f"{prefix}/year={hour:%Y/month=%m/day=%d/hour=%H}/", ""
        hour += timedelta(hours=1)


def newest_objects(so_far: Iterable[ObjectSummary], response: Mapping[str, Any]) -> list[ObjectSummary]:
    """Return the newest objects among those found so far and one page of a listing, the oldest first.

    Keys begin with a time, so that a listing is sorted by it.
    """
    rows = response.get("Contents", ())
    return [*so_far, *(ObjectSummary(row["Key"], row["Size"], row["LastModified"]) for row in rows)][-SHOWN:]


def last_errors(response: Mapping[str, Any] | None) -> tuple[LogLine, ...]:
    """Return the last lines in a response of FilterLogEvents, the newest first."""
    rows = (response or {}).get("events", ())
    lines = [LogLine(datetime.fromtimestamp(row["timestamp"] / 1000, UTC), row["message"].strip()) for row in rows]
    return tuple(lines[::-1][:SHOWN])
