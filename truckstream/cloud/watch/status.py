"""Status: read the state of all deployed parts, as one page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from truckstream.alarms import ALARMS
from truckstream.cloud.aws_account import flags_of
from truckstream.cloud.watch.figures import Figures
from truckstream.cloud.watch.reading.cloudwatch import read_figures
from truckstream.cloud.watch.reading.deployed_parts import read_parts
from truckstream.cloud.watch.reading.tolerant_reader import TolerantReader
from truckstream.cloud.watch.status_page import (
    AlarmState,
    LogLine,
    ObjectSummary,
    Origin,
    Status,
    alarm_states,
    describe_function,
    describe_mapping,
    describe_stream,
    find_problems,
    last_errors,
    newest_objects,
    object_listings,
)

if TYPE_CHECKING:
    from datetime import datetime

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.watch.reading.deployed_parts import DeployedParts

__all__ = ["read_last_errors", "read_status"]


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
    kind: Literal["stack", "function"] = "function" if function_name else "stack"
    origin = Origin(kind, function_name or stack_name, aws.region, flags_of(aws))
    alarms = await reader.attempt(_read_alarms(aws, stack_name), ()) if kind == "stack" else ()
    objects = await reader.attempt(_read_newest_objects(aws, parts, now, minutes), ())
    problems = find_problems(parts, alarms, origin, bucket_exists=objects is not None)
    return Status(
        name=origin.name,
        region=origin.region,
        stack=parts.stack.status if parts.stack else None,
        stream=describe_stream(parts.stream),
        mapping=describe_mapping(parts.mapping),
        function=describe_function(parts.function),
        bucket=None if objects is None else parts.bucket_name,
        figures=figures,
        problems=problems,
        alarms=alarms,
        objects=objects or (),
        errors=await reader.attempt(read_last_errors(aws, parts, now, minutes), ()),
        unread=tuple(str(error) for error in reader.unread),
    )


async def _read_alarms(aws: Aws, stack_name: str) -> tuple[AlarmState, ...]:
    # By their names, because the prefix acme- would also find those of a stack acme-2.
    names = [f"{stack_name}-{alarm.name}" for alarm in ALARMS]
    response = await aws.call("cloudwatch", "describe_alarms", AlarmNames=names, MaxRecords=100)
    return alarm_states(response)


async def _read_newest_objects(
    aws: Aws, parts: DeployedParts, now: datetime, minutes: int
) -> tuple[ObjectSummary, ...] | None:
    """Return the newest objects of the period, the newest first; None if the bucket does not exist."""
    if not parts.bucket_name:
        return ()
    found: list[ObjectSummary] = []
    for folder, after in object_listings(parts.variables, now, minutes):
        more: dict[str, Any] = {"StartAfter": after}
        while more:
            response = await aws.find("s3", "list_objects_v2", Bucket=parts.bucket_name, Prefix=folder, **more)
            if response is None:
                return None
            found = newest_objects(found, response)
            token = response.get("NextContinuationToken")
            more = {"ContinuationToken": token} if token else {}
    return tuple(reversed(found))


async def read_last_errors(aws: Aws, parts: DeployedParts, now: datetime, minutes: int) -> tuple[LogLine, ...]:
    """Return the last errors of the last `minutes` in the function's log, the newest first."""
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
    return last_errors(response)
