"""One stream's client: a call is one attempt, and a failed one says what it means.

`StreamClient` is all that a producer needs of the service. `AiobotocoreClient` goes through aiobotocore, so that
the user's sessions, profiles, roles, endpoints, proxies and certificates work as they do elsewhere. Its retries
are switched off: a retry hidden in there could store a record twice without anyone knowing.
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from pybase64 import b64decode

from truckstream.errors import ConfigurationError
from truckstream.kinesis.encoding import encode_body
from truckstream.kinesis.failures import FailureKind, RequestFailedError, kind_of_error
from truckstream.kinesis.limits import DEFAULT_MAX_RECORD_BYTES, KIB
from truckstream.kinesis.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from aiobotocore.session import AioSession

__all__ = ["AiobotocoreClient", "PutRecord", "RecordAnswer", "StreamClient"]


class PutRecord(Protocol):
    """What a client reads of a record that it sends."""

    #: The record as it stands in a body, made by `truckstream.kinesis.encoding.encode_record`.
    piece: bytes


class RecordAnswer(msgspec.Struct, frozen=True, gc=False, rename="pascal"):
    """The service's answer for one record of a request: where it was stored, or why it was not."""

    shard_id: str | None = None
    sequence_number: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class StreamClient(Protocol):
    """A client for one stream. Every method raises `RequestFailedError` when its attempt fails."""

    async def open(self) -> None:
        """Connect; called once, on the loop that sends."""

    async def put_records(self, records: Sequence[PutRecord]) -> Sequence[RecordAnswer]:
        """Send up to 500 records; as many answers, in their order."""

    async def list_shards(self) -> list[Shard]:
        """All shards of the stream that still hold records, closed ones included."""

    async def max_record_bytes(self) -> int:
        """The largest record that this stream takes, data and partition key together."""

    async def close(self) -> None:
        """Give back sockets and credentials; may be called twice."""


_ARN = re.compile(r"arn:[^:]+:kinesis:(?P<region>[^:]+):\d{12}:stream/(?P<name>[a-zA-Z0-9_.-]{1,128})")
_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")


class AiobotocoreClient:
    """A `StreamClient` on aiobotocore.

    Args:
        stream: the stream's name, or its ARN, which also names the region.
        region_name: as in aiobotocore; by default the session's own.
        endpoint_url: another endpoint than the region's, such as a local server's.
        session: an aiobotocore session (or aioboto3's `_session`); a new one by default.
        connections: the most requests at a time, each on a connection of its own.
        request_timeout: seconds that the service may take for an answer.
    """

    def __init__(
        self,
        stream: str,
        *,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        session: AioSession | None = None,
        connections: int = 10,
        request_timeout: float = 10.0,
    ) -> None:
        arn = _ARN.fullmatch(stream)
        if arn is None and not _NAME.fullmatch(stream):
            hint = "Give the stream's name (1 to 128 letters, digits, _ . -) or its whole ARN."
            raise ConfigurationError("stream", f"is {stream!r}, which is no stream's name", hint)
        self._stream = {"StreamARN": stream} if arn else {"StreamName": stream}
        self._region_name = region_name or (arn["region"] if arn else None)
        self._endpoint_url = endpoint_url
        self._session = session
        self._connections = connections
        self._request_timeout = request_timeout
        self._resources = AsyncExitStack()
        self._client: Any = None

    async def open(self) -> None:
        from aiobotocore.config import AioConfig  # noqa: PLC0415 - half a second of CPU, for those who open one
        from aiobotocore.session import get_session  # noqa: PLC0415
        from botocore.exceptions import NoRegionError  # noqa: PLC0415

        config = AioConfig(
            connect_timeout=min(5.0, self._request_timeout),
            read_timeout=self._request_timeout,
            max_pool_connections=self._connections,
            retries={"total_max_attempts": 1},
            parameter_validation=False,
        )
        context = (self._session or get_session()).create_client(
            "kinesis", region_name=self._region_name, endpoint_url=self._endpoint_url, config=config
        )
        try:
            self._client = await self._resources.enter_async_context(context)
        except NoRegionError as error:
            hint = "Pass region_name=, or set AWS_REGION, or give the stream's ARN."
            raise ConfigurationError("region_name", "is not set", hint) from error

    async def put_records(self, records: Sequence[PutRecord]) -> Sequence[RecordAnswer]:
        body = msgspec.json.decode(encode_body(self._stream, [record.piece for record in records]))
        for record in body["Records"]:
            record["Data"] = b64decode(record["Data"])
        answer = await _attempt(self._client.put_records(**body))
        return [
            RecordAnswer(
                shard_id=item.get("ShardId"),
                sequence_number=item.get("SequenceNumber"),
                error_code=item.get("ErrorCode"),
                error_message=item.get("ErrorMessage"),
            )
            for item in answer["Records"]
        ]

    async def list_shards(self) -> list[Shard]:
        shards: list[Shard] = []
        page = await _attempt(self._client.list_shards(**self._stream))
        while True:
            shards += [_shard(item) for item in page["Shards"]]
            if not page.get("NextToken"):
                return shards
            page = await _attempt(self._client.list_shards(NextToken=page["NextToken"]))

    async def max_record_bytes(self) -> int:
        answer = await _attempt(self._client.describe_stream_summary(**self._stream))
        summary = answer["StreamDescriptionSummary"]
        return int(summary.get("MaxRecordSizeInKiB", DEFAULT_MAX_RECORD_BYTES // KIB)) * KIB

    async def close(self) -> None:
        self._client = None
        await self._resources.aclose()


def _shard(item: dict[str, Any]) -> Shard:
    return Shard(
        shard_id=item["ShardId"],
        starting_hash_key=int(item["HashKeyRange"]["StartingHashKey"]),
        ending_hash_key=int(item["HashKeyRange"]["EndingHashKey"]),
        is_open="EndingSequenceNumber" not in item["SequenceNumberRange"],
    )


async def _attempt(call: Awaitable[Any]) -> Any:
    """Await a botocore call and translate what it raises: the only place that knows botocore's exceptions."""
    import botocore.exceptions as boto  # noqa: PLC0415 - loaded with the client

    try:
        return await call
    except boto.ClientError as error:
        told = error.response.get("Error", {})
        code, message = str(told.get("Code", "Unknown")), str(told.get("Message", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        raise RequestFailedError(kind_of_error(code, message, status), code, message) from error
    except (boto.ConnectTimeoutError, boto.EndpointConnectionError, boto.ProxyConnectionError) as error:
        raise RequestFailedError(FailureKind.NOT_SENT, type(error).__name__, str(error)) from error
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.SSLError) as error:
        raise RequestFailedError(FailureKind.PERMANENT, type(error).__name__, str(error)) from error
    except boto.CredentialRetrievalError as error:
        raise RequestFailedError(FailureKind.CREDENTIALS, type(error).__name__, str(error)) from error
    except (boto.BotoCoreError, OSError, TimeoutError) as error:
        # A reset, a read that timed out, an answer cut off: the service may have done its part.
        raise RequestFailedError(FailureKind.AMBIGUOUS, type(error).__name__, str(error)) from error
