"""Status: read the state of all deployed parts, as one page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from truckstream.cloud.watch.figures import Figures
from truckstream.cloud.watch.reading.cloudwatch import read_figures
from truckstream.cloud.watch.reading.deployed_parts import read_parts
from truckstream.cloud.watch.reading.tolerant_reader import TolerantReader
from truckstream.cloud.watch.status_page import (
    AlarmState,
    LogLine,
    ObjectSummary,
    Status,
    alarm_states,
    describe_function,
    describe_mapping,
    describe_stream,
    last_errors,
    newest_objects,
    object_listings,
)

if TYPE_CHECKING:
    from datetime import datetime

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.watch.reading.deployed_parts import DeployedParts

__all__ = ["read_status"]


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
        stream=describe_stream(parts.stream),
        mapping=describe_mapping(parts.mapping),
        function=describe_function(parts.function),
        bucket=parts.bucket_name,
        figures=figures,
        alarms=await reader.attempt(_read_alarms(aws, stack_name), ()),
        objects=await reader.attempt(_read_newest_objects(aws, parts, now, minutes), ()),
        errors=await reader.attempt(_read_last_errors(aws, parts, now, minutes), ()),
        unread=tuple(str(error) for error in reader.unread),
    )


async def _read_alarms(aws: Aws, stack_name: str) -> tuple[AlarmState, ...]:
    response = await aws.call("cloudwatch", "describe_alarms", AlarmNamePrefix=f"{stack_name}-", MaxRecords=100)
    return alarm_states(response)


async def _read_newest_objects(
    aws: Aws, parts: DeployedParts, now: datetime, minutes: int
) -> tuple[ObjectSummary, ...]:
    """Return the newest objects of the period, the newest first."""
    if not parts.bucket_name:
        return ()
    found: list[ObjectSummary] = []
    for folder, after in object_listings(parts.variables, now, minutes):
        more: dict[str, Any] = {"StartAfter": after}
        while more:
            response = await aws.call("s3", "list_objects_v2", Bucket=parts.bucket_name, Prefix=folder, **more)
            found = newest_objects(found, response)
            token = response.get("NextContinuationToken")
            more = {"ContinuationToken": token} if token else {}
    return tuple(reversed(found))


async def _read_last_errors(aws: Aws, parts: DeployedParts, now: datetime, minutes: int) -> tuple[LogLine, ...]:
    """Return the last errors in the function's log, the newest first."""
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
