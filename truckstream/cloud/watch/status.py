"""Status: all deployed parts and their health, as one page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from truckstream.cloud.watch.cloudwatch_figures import Figures, read_figures
from truckstream.cloud.watch.deployed_parts import read_parts
from truckstream.cloud.watch.tolerant_reader import TolerantReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.watch.deployed_parts import DeployedParts

__all__ = ["AlarmState", "LogLine", "ObjectSummary", "Status", "read_status"]

#: Number of newest objects and errors on the page.
SHOWN: Final = 5


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


async def read_status(
    aws: Aws, stack_name: str, *, now: datetime, function_name: str | None = None, minutes: int = 60
) -> Status:
    """Read the state of all parts of a stack.

    Args:
        aws: the account and region.
        stack_name: name of the deployed stack.
        now: the present time.
        function_name: name of the function, for a pipeline without a stack.
        minutes: length of the period for figures, errors and objects.

    Raises:
        AwsError: the stack cannot be described.
    """
    parts = await read_parts(aws, stack_name, function_name)
    reader = TolerantReader(aws, [*parts.unread])
    figures = await reader.attempt(
        read_figures(aws, stream=parts.stream_name, function=parts.function_name, now=now, minutes=minutes),
        Figures(minutes),
    )
    return Status(
        stack=parts.stack.status if parts.stack else None,
        stream=parts.stream and _pick(parts.stream, _STREAM),
        mapping=parts.mapping and _pick(parts.mapping, _MAPPING),
        function=parts.function and _pick(parts.function, _FUNCTION),
        bucket=parts.bucket_name,
        figures=figures,
        alarms=await reader.attempt(_alarms(aws, stack_name), ()),
        objects=await reader.attempt(_newest_objects(aws, parts, now, minutes), ()),
        errors=await reader.attempt(_last_errors(aws, parts, now, minutes), ()),
        unread=tuple(str(error) for error in reader.unread),
    )


#: The members of AWS's descriptions that are shown.
_STREAM: Final = ("StreamName", "StreamStatus", "OpenShardCount", "RetentionPeriodHours", "EncryptionType")
_MAPPING: Final = ("UUID", "State", "LastProcessingResult", "BatchSize", "MaximumBatchingWindowInSeconds")
_FUNCTION: Final = ("FunctionName", "State", "Runtime", "MemorySize", "Timeout", "LastModified", "LastUpdateStatus")


def _pick(response: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: response[name] for name in names if name in response}


async def _alarms(aws: Aws, stack_name: str) -> tuple[AlarmState, ...]:
    response = await aws.call("cloudwatch", "describe_alarms", AlarmNamePrefix=f"{stack_name}-", MaxRecords=100)
    rows = response.get("MetricAlarms", ())
    found = [AlarmState(row["AlarmName"], row["StateValue"], row.get("StateUpdatedTimestamp")) for row in rows]
    return tuple(sorted(found, key=lambda alarm: (alarm.state != "ALARM", alarm.name)))


async def _newest_objects(aws: Aws, parts: DeployedParts, now: datetime, minutes: int) -> tuple[ObjectSummary, ...]:
    """Return the newest objects of the period. Keys begin with a time, so that a listing is sorted by it."""
    if not parts.bucket_name:
        return ()
    found: list[ObjectSummary] = []
    for folder, after in _listings(parts.variables, now, minutes):
        more: dict[str, Any] = {"StartAfter": after}
        while more:
            response = await aws.call("s3", "list_objects_v2", Bucket=parts.bucket_name, Prefix=folder, **more)
            rows = response.get("Contents", ())
            found = [*found, *(ObjectSummary(row["Key"], row["Size"], row["LastModified"]) for row in rows)][-SHOWN:]
            token = response.get("NextContinuationToken")
            more = {"ContinuationToken": token} if token else {}
    return tuple(reversed(found))


def _listings(variables: Mapping[str, str], now: datetime, minutes: int) -> Iterator[tuple[str, str]]:
    """Yield the prefix and the key to start after of each listing, the oldest first."""
    prefix = variables.get("PREFIX", "sensor_data")
    start = (now - timedelta(minutes=minutes)).astimezone(UTC)
    if variables.get("LAYOUT") != "hive":
        yield f"{prefix}/", f"{prefix}/batch_{start:%Y-%m-%dT%H-%M-%S}"
        return
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour <= now:
        yield f"{prefix}/year={hour:%Y/month=%m/day=%d/hour=%H}/", ""
        hour += timedelta(hours=1)


async def _last_errors(aws: Aws, parts: DeployedParts, now: datetime, minutes: int) -> tuple[LogLine, ...]:
    """Return the errors in the function's log, the newest first."""
    group = parts.outputs.get("LogGroupName")
    group = group or (f"/aws/lambda/{parts.function_name}" if parts.function_name else None)
    if not group:
        return ()
    response = await aws.find(
        "logs",
        "filter_log_events",
        logGroupName=group,
        filterPattern="?ERROR ?WARNING ?Traceback ?timed",
        startTime=int((now - timedelta(minutes=minutes)).timestamp() * 1000),
        limit=100,
    )
    rows = (response or {}).get("events", ())
    lines = [LogLine(datetime.fromtimestamp(row["timestamp"] / 1000, UTC), row["message"].strip()) for row in rows]
    return tuple(lines[::-1][:SHOWN])
