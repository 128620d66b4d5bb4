"""The status page as values, and their computation from AWS's responses. Nothing in here calls AWS."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from truckstream.cloud.deployment.cloudformation.stack import is_busy
from truckstream.command_line import command_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from truckstream.cloud.watch.figures import Figures
    from truckstream.cloud.watch.reading.deployed_parts import DeployedParts

__all__ = [
    "AlarmState",
    "LogLine",
    "ObjectSummary",
    "Origin",
    "Status",
    "alarm_states",
    "delivery_failed",
    "describe_function",
    "describe_mapping",
    "describe_stream",
    "failure_reason",
    "find_problems",
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
class Origin:
    """Where the parts were looked for: by a stack, or by a function that has none."""

    kind: Literal["stack", "function"]
    name: str
    region: str
    #: The flags that make a command use this region and endpoint.
    flags: tuple[str, ...] = ()

    @property
    def deploy(self) -> str:
        """The command line that deploys the stack."""
        return command_line("truckstream", "deploy", "--stack", self.name, *self.flags)


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

    #: Name of the stack; of the function, for a pipeline without a stack.
    name: str
    region: str
    #: State of the stack.
    stack: str | None
    stream: dict[str, Any] | None
    mapping: dict[str, Any] | None
    function: dict[str, Any] | None
    bucket: str | None
    figures: Figures
    #: Why the pipeline is not healthy, and what to do.
    problems: tuple[str, ...] = ()
    alarms: tuple[AlarmState, ...] = ()
    objects: tuple[ObjectSummary, ...] = ()
    errors: tuple[LogLine, ...] = ()
    unread: tuple[str, ...] = field(default=())

    @property
    def healthy(self) -> bool:
        """False if there is a problem, or a read failed."""
        return not self.problems and not self.unread


def find_problems(
    parts: DeployedParts, alarms: Iterable[AlarmState], origin: Origin, *, bucket_exists: bool
) -> tuple[str, ...]:
    """Return why the pipeline is not healthy.

    Args:
        parts: the deployed parts.
        alarms: the alarms of the stack.
        origin: where the parts were looked for.
        bucket_exists: False if the bucket is known not to exist.
    """
    if parts.stack is None and parts.function is None and not parts.unread:
        return (_nothing_found(origin),)
    found = [*_stack_problems(parts), *_missing_parts(parts, origin, bucket_exists=bucket_exists)]
    found += _stopped_parts(parts)
    if active := [alarm.name for alarm in alarms if alarm.state == "ALARM"]:
        found.append(f"alarms are active: {', '.join(active)}")
    return tuple(found)


def _nothing_found(origin: Origin) -> str:
    check = "check its name, the region (--region, AWS_REGION) and the account (AWS_PROFILE)"
    create = f", or create it: {origin.deploy}" if origin.kind == "stack" else ""
    return f"there is no {origin.kind} {origin.name} in {origin.region}: {check}{create}"


def _stack_problems(parts: DeployedParts) -> Iterator[str]:
    state = parts.stack.status if parts.stack else ""
    if state.startswith(("ROLLBACK", "DELETE")) or (state.endswith("_FAILED") and not is_busy(state)):
        yield f"the stack is {state}"


def _missing_parts(parts: DeployedParts, origin: Origin, *, bucket_exists: bool) -> Iterator[str]:
    """Return the parts that do not exist. One that could not be read is not missing."""
    if parts.stream is None and not parts.could_not_read("kinesis"):
        yield f"the stream {parts.stream_name} does not exist" if parts.stream_name else "there is no stream"
    if parts.function is None and not parts.could_not_read("lambda"):
        add = f": {origin.deploy} creates it" if origin.kind == "stack" else ""
        yield f"there is no function, so that records wait in the stream{add}"
    elif parts.mapping is None and not parts.could_not_read("lambda"):
        yield "no event source mapping connects the stream to the function, so that records wait in the stream"
    if not parts.bucket_name or not bucket_exists:
        yield f"the bucket {parts.bucket_name} does not exist" if parts.bucket_name else "there is no bucket"


def _stopped_parts(parts: DeployedParts) -> Iterator[str]:
    stream, mapping, function = parts.stream or {}, parts.mapping or {}, parts.function or {}
    if (state := stream.get("StreamStatus", "ACTIVE")) == "DELETING":
        yield f"the stream is {state}"
    if (state := mapping.get("State", "Enabled")) in {"Disabled", "Disabling", "Deleting"}:
        yield f"the mapping is {state}, so that records wait in the stream"
    if delivery_failed(result := mapping.get("LastProcessingResult", "OK")):
        yield f"the mapping's last delivery failed ({result}): see the last errors below, then run truckstream doctor"
    if (state := function.get("State", "Active")) == "Failed" or function.get("LastUpdateStatus") == "Failed":
        yield f"the function, or its last update, failed: {failure_reason(function)}"


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


def failure_reason(function: Mapping[str, Any]) -> str:
    """Return why a function, or its last update, failed."""
    return function.get("StateReason") or function.get("LastUpdateStatusReason") or "AWS gives no reason"


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
