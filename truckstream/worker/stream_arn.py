"""Find the ARN of a stream, which is part of the objects' keys and metadata, as in the events of Lambda."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from truckstream.kinesis.session.described_stream import describe_stream

if TYPE_CHECKING:
    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["find_stream_arn"]

_ARN: Final = re.compile(r"arn:[^:]+:kinesis:[^:]+:\d{12}:stream/.+")


async def find_stream_arn(
    stream: str, *, session: UserSession | None = None, region_name: str | None = None, endpoint_url: str | None = None
) -> str:
    """Return the ARN of a stream, given its name or its ARN.

    Raises:
        StreamNotFoundError: there is no such stream in this account and region.
        ServiceError: the service cannot be reached, or returned another error.
    """
    if _ARN.fullmatch(stream):
        return stream
    summary = await describe_stream(
        StreamName=stream, session=session, region_name=region_name, endpoint_url=endpoint_url
    )
    arn: str = summary["StreamARN"]
    return arn
