"""Status: everything that is deployed and how it fares, on one page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from truckstream.cloud.watch.cloudwatch_figures import Figures, read_figures
from truckstream.cloud.watch.deployed_parts import read_parts
from truckstream.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from typing import TypeVar

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.watch.deployed_parts import Parts

    T = TypeVar("T")

__all__ = ["AlarmState", "LogLine", "Status", "StoredObject", "read_status"]

#: How many of the newest objects and errors are shown.
SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One of the newest objects."""

    key: str
    size: int
    time: datetime


@dataclass(frozen=True, slots=True)
class AlarmState:
    """An alarm: OK, ALARM, or INSUFFICIENT_DATA where nothing was measured yet."""

    name: str
    state: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One of the function's last errors."""

    time: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """The page. Parts that are not there are None; `unread` says what could not be looked at."""

    stack: str | None
    stream: dict[str, Any] | None
    mapping: dict[str, Any] | None
    function: dict[str, Any] | None
    bucket: str | None
    figures: Figures
    alarms: tuple[AlarmState, ...] = ()
    objects: tuple[StoredObject, ...] = ()
    errors: tuple[LogLine, ...] = ()
    unread: tuple[str, ...] = field(default=())

    @property
    def healthy(self) -> bool:
        """False if an alarm rings, or if something is missing or could not be looked at."""
        whole = self.stream is not None and self.function is not None and self.mapping is not None
        return whole and not self.unread and not any(alarm.state == "ALARM" for alarm in self.alarms)


async def read_status(
    aws: Aws, stack_name: str, *, now: datetime, function_name: str | None = None, minutes: int = 60
) -> Status:
    """Look at everything that the stack has.

    Args:
        aws: the account and region.
        stack_name: the deployed stack.
        now: the time of the call.
        function_name: for a pipeline that was made by hand.
        minutes: how far back figures, errors and objects go.

    Raises:
        AwsError: the stack itself cannot be looked at.
    """
    parts = await read_parts(aws, stack_name, function_name)
    unread = [*parts.unread]

    async def look(work: Awaitable[T], otherwise: T) -> T:
        """One part; a page with a hole says more than none."""
        try:
            return await work
        except AwsError as error:
            unread.append(error)
            return otherwise

    figures = await look(
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
        alarms=await look(_alarms(aws, stack_name), ()),
        objects=await look(_newest_objects(aws, parts, now, minutes), ()),
        errors=await look(_last_errors(aws, parts, now, minutes), ()),
        unread=tuple(str(error) for error in unread),
    )


#: What of AWS's descriptions stands on the page.
_STREAM: Final = ("StreamName", "StreamStatus", "OpenShardCount", "RetentionPeriodHours", "EncryptionType")
_MAPPING: Final = ("UUID", "State", "LastProcessingResult", "BatchSize", "MaximumBatchingWindowInSeconds")
_FUNCTION: Final = ("FunctionName", "State", "Runtime", "MemorySize", "Timeout", "LastModified", "LastUpdateStatus")


def _pick(answer: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: answer[name] for name in names if name in answer}


async def _alarms(aws: Aws, stack_name: str) -> tuple[AlarmState, ...]:
    answer = await aws.call("cloudwatch", "describe_alarms", AlarmNamePrefix=f"{stack_name}-", MaxRecords=100)
    rows = answer.get("MetricAlarms", ())
    found = [AlarmState(row["AlarmName"], row["StateValue"], row.get("StateUpdatedTimestamp")) for row in rows]
    return tuple(sorted(found, key=lambda alarm: (alarm.state != "ALARM", alarm.name)))


async def _newest_objects(aws: Aws, parts: Parts, now: datetime, minutes: int) -> tuple[StoredObject, ...]:
    """The newest objects of the last minutes. Keys begin with their time, so the listing does."""
    if not parts.bucket_name:
        return ()
    found: list[StoredObject] = []
    for folder, after in _where_to_look(parts.variables, now, minutes):
        more: dict[str, Any] = {"StartAfter": after}
        while more:
            answer = await aws.call("s3", "list_objects_v2", Bucket=parts.bucket_name, Prefix=folder, **more)
            rows = answer.get("Contents", ())
            found = [*found, *(StoredObject(row["Key"], row["Size"], row["LastModified"]) for row in rows)][-SHOWN:]
            token = answer.get("NextContinuationToken")
            more = {"ContinuationToken": token} if token else {}
    return tuple(reversed(found))


def _where_to_look(variables: Any, now: datetime, minutes: int) -> Iterator[tuple[str, str]]:
    """(prefix, key to start after) of each listing, the oldest first."""
    prefix = variables.get("PREFIX", "sensor_data")
    start = (now - timedelta(minutes=minutes)).astimezone(UTC)
    if variables.get("LAYOUT") != "hive":
        yield f"{prefix}/", f"{prefix}/batch_{start:%Y-%m-%dT%H-%M-%S}"
        return
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour <= now:
        yield f"{prefix}/year={hour:%Y/month=%m/day=%d/hour=%H}/", ""
        hour += timedelta(hours=1)


async def _last_errors(aws: Aws, parts: Parts, now: datetime, minutes: int) -> tuple[LogLine, ...]:
    """What the function's log says of failures, the newest first."""
    group = (parts.stack.outputs if parts.stack else {}).get("LogGroupName")
    group = group or (f"/aws/lambda/{parts.function_name}" if parts.function_name else None)
    if not group:
        return ()
    answer = await aws.ask(
        "logs",
        "filter_log_events",
        logGroupName=group,
        filterPattern="?ERROR ?WARNING ?Traceback ?timed",
        startTime=int((now - timedelta(minutes=minutes)).timestamp() * 1000),
        limit=100,
    )
    rows = (answer or {}).get("events", ())
    lines = [LogLine(datetime.fromtimestamp(row["timestamp"] / 1000, UTC), row["message"].strip()) for row in rows]
    return tuple(lines[::-1][:SHOWN])
