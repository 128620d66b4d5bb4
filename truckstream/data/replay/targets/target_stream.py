"""Find the ARN of a stream, which names it in the journal, and for how long it keeps its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from truckstream.errors import ServiceError, StreamNotFoundError
from truckstream.kinesis.session.default_session import make_session

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

__all__ = ["TargetStream", "describe_stream"]


class TargetStream(NamedTuple):
    """The facts about a stream that a replay needs."""

    arn: str
    #: Seconds.
    retention: float


async def describe_stream(
    stream: str, *, session: AioSession | None, region_name: str | None, endpoint_url: str | None
) -> TargetStream:
    """Describe a stream, given its name or its ARN.

    Raises:
        StreamNotFoundError: there is no such stream in this account and region.
        ServiceError: the service cannot be reached, or returned another error.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - half a second of CPU

    is_arn = stream.startswith("arn:")
    region = stream.split(":")[3] if is_arn else region_name
    try:
        session = session or make_session()
        async with session.create_client("kinesis", region_name=region, endpoint_url=endpoint_url) as client:
            response = await client.describe_stream_summary(**{"StreamARN" if is_arn else "StreamName": stream})
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        kind = StreamNotFoundError if code == "ResourceNotFoundException" else ServiceError
        raise kind(code, message) from error
    except BotoCoreError as error:
        raise ServiceError(type(error).__name__, str(error)) from error
    summary = response["StreamDescriptionSummary"]
    return TargetStream(summary["StreamARN"], summary["RetentionPeriodHours"] * 3_600.0)
