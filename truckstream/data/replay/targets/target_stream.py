"""Find the ARN of a stream, which names it in the journal, and for how long it keeps its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from truckstream.kinesis.session.described_stream import describe_stream

if TYPE_CHECKING:
    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["TargetStream", "find_target_stream"]


class TargetStream(NamedTuple):
    """The facts about a stream that a replay needs."""

    arn: str
    #: Seconds.
    retention: float


async def find_target_stream(
    stream: str, *, session: UserSession | None, region_name: str | None, endpoint_url: str | None
) -> TargetStream:
    """Describe a stream, given its name or its ARN.

    Raises:
        StreamNotFoundError: there is no such stream in this account and region.
        ServiceError: the service cannot be reached, or returned another error.
    """
    is_arn = stream.startswith("arn:")
    names = {"StreamARN" if is_arn else "StreamName": stream}
    region = stream.split(":")[3] if is_arn else region_name
    summary = await describe_stream(session=session, region_name=region, endpoint_url=endpoint_url, **names)
    return TargetStream(summary["StreamARN"], summary["RetentionPeriodHours"] * 3_600.0)
