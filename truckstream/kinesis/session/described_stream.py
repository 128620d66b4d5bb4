"""Describe a stream by aiobotocore, for programs that have no client of ours open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truckstream.errors import ServiceError, StreamNotFoundError
from truckstream.kinesis.session.default_session import load_aiobotocore, prepared_session
from truckstream.kinesis.session.user_session import aio_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["describe_stream"]


async def describe_stream(
    *, session: UserSession | None, region_name: str | None, endpoint_url: str | None, **names: str
) -> Mapping[str, Any]:
    """Return the StreamDescriptionSummary of the stream that `names` name: `StreamName` or `StreamARN`.

    Raises:
        StreamNotFoundError: there is no such stream in this account and region.
        ServiceError: the service cannot be reached, or returned another error.
    """
    given = aio_session(session)
    await load_aiobotocore()
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - loaded by the line above

    try:
        prepared = await prepared_session(given, "kinesis")
        async with prepared.create_client("kinesis", region_name=region_name, endpoint_url=endpoint_url) as client:
            response = await client.describe_stream_summary(**names)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        kind = StreamNotFoundError if code == "ResourceNotFoundException" else ServiceError
        raise kind(code, message) from error
    except BotoCoreError as error:
        raise ServiceError(type(error).__name__, str(error)) from error
    summary: Mapping[str, Any] = response["StreamDescriptionSummary"]
    return summary
