"""Find the ARN of a stream, which is part of the objects' keys and metadata, as in the events of Lambda."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from truckstream.errors import ServiceError, StreamNotFoundError
from truckstream.kinesis.session.default_session import make_session

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

__all__ = ["find_stream_arn"]

_ARN: Final = re.compile(r"arn:[^:]+:kinesis:[^:]+:\d{12}:stream/.+")


async def find_stream_arn(
    stream: str, *, session: AioSession | None = None, region_name: str | None = None, endpoint_url: str | None = None
) -> str:
    """Return the ARN of a stream, given its name or its ARN.

    Raises:
        StreamNotFoundError: there is no such stream in this account and region.
        ServiceError: the service cannot be reached, or returned another error.
    """
    if _ARN.fullmatch(stream):
        return stream
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - not needed with an ARN

    session = session or make_session()
    try:
        async with session.create_client("kinesis", region_name=region_name, endpoint_url=endpoint_url) as client:
            response = await client.describe_stream_summary(StreamName=stream)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        kind = StreamNotFoundError if code == "ResourceNotFoundException" else ServiceError
        raise kind(code, message) from error
    except BotoCoreError as error:
        raise ServiceError(type(error).__name__, str(error)) from error
    arn: str = response["StreamDescriptionSummary"]["StreamARN"]
    return arn
