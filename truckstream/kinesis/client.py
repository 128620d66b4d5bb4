"""A client for one stream: a call is one attempt, and an attempt that fails raises what the failure means.

A producer needs a `StreamClient`, and a consumer a `ReadingClient` (reading/reading_client.py). `KinesisClient`
implements both over the network. `signed_calls.py` decides when a request is sent again.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from truckstream.errors import ConfigurationError
from truckstream.kinesis.attempt import current_attempt
from truckstream.kinesis.encoding import EncodableRecord, encode_body
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.fan_out.registration import register_consumer
from truckstream.kinesis.fan_out.subscription import subscribe
from truckstream.kinesis.reading.position import Position
from truckstream.kinesis.reading.records_page import parse_records_page
from truckstream.kinesis.reading.requests import iterator_request, parse_iterator, starting_position
from truckstream.kinesis.responses import RecordResponse, parse_put_records, parse_shards, parse_summary
from truckstream.kinesis.session.session_endpoint import SessionEndpoint
from truckstream.kinesis.signed_calls import SignedCalls

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from truckstream.kinesis.attempt import Attempt
    from truckstream.kinesis.reading.shard_record import RecordsPage
    from truckstream.kinesis.responses import StreamSummary
    from truckstream.kinesis.session.user_session import UserSession
    from truckstream.kinesis.shard_map import Shard

__all__ = ["EncodableRecord", "KinesisClient", "RecordResponse", "StreamClient"]


class StreamClient(Protocol):
    """A client for one stream. Every method raises `RequestFailedError` when its attempt fails.

    A caller may cancel each call, and does so when it has taken too long. A client that sends requests reports their
    progress to `current_attempt` (attempt.py); otherwise the records of a cancelled request count as possibly stored.
    """

    async def open(self) -> None:
        """Connect. Called once, on the event loop that sends."""

    async def put_records(self, records: Sequence[EncodableRecord]) -> Sequence[RecordResponse]:
        """Send up to 500 records and return their responses, in the same order."""

    async def list_shards(self) -> list[Shard]:
        """Return all shards of the stream that still hold records, closed ones included."""

    async def summary(self) -> StreamSummary:
        """Return the stream's largest record, whether its shards have a known quota, and its status."""

    async def close(self) -> None:
        """Close the sockets. May be called twice."""


_ARN = re.compile(r"arn:[^:]+:kinesis:(?P<region>[^:]+):\d{12}:stream/(?P<name>[a-zA-Z0-9_.-]{1,128})")
_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")

#: "MaxResults ... The default value is 1000" shards a page (API reference of ListShards). No stream comes near so many
#: shards, so a service that has yet another page would never end.
MAX_PAGES: Final = 200


class KinesisClient:
    """A `StreamClient` and a `ReadingClient` with the settings of an aiobotocore session.

    Args:
        stream: the stream's name, or its ARN, which also names the region.
        region_name: as in aiobotocore; by default the session's.
        endpoint_url: another endpoint than the region's, such as a local server's.
        session: an aiobotocore session, or an aioboto3.Session; by default a new one, which shares botocore's data
            files with those of other clients.
        connections: the maximum number of requests at a time, each on a connection of its own.
        request_timeout: seconds that the service or a proxy may keep silent.
    """

    def __init__(
        self,
        stream: str,
        *,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        session: UserSession | None = None,
        connections: int = 10,
        request_timeout: float = 10.0,
    ) -> None:
        arn = _ARN.fullmatch(stream)
        if arn is None and not _NAME.fullmatch(stream):
            hint = "Pass the stream's name (1 to 128 letters, digits, _ . -) or its full ARN."
            raise ConfigurationError("stream", f"is {stream!r}, which is not a stream's name", hint)
        self._arn = stream if arn else ""
        self._stream = {"StreamARN": stream} if arn else {"StreamName": stream}
        #: The name alone, without the account and region of an ARN.
        self.stream_name = arn["name"] if arn else stream
        self._endpoint = SessionEndpoint(
            region_name=region_name or (arn["region"] if arn else None),
            endpoint_url=endpoint_url,
            session=session,
            connections=connections,
            request_timeout=request_timeout,
        )
        self._calls = SignedCalls(self._endpoint, request_timeout)

    async def open(self) -> None:
        await self._endpoint.open()

    async def put_records(self, records: Sequence[EncodableRecord]) -> Sequence[RecordResponse]:
        body = partial(encode_body, self._stream, records)
        return parse_put_records(await self._call("PutRecords", body, current_attempt.get()), len(records))

    async def list_shards(self) -> list[Shard]:
        shards: list[Shard] = []
        request = self._stream
        for _ in range(MAX_PAGES):
            body = await self._call("ListShards", msgspec.json.encode(request), current_attempt.get())
            page, token = parse_shards(body)
            shards += page
            if not token:
                return shards
            request = {"NextToken": token}
        raise RequestFailedError(FailureKind.AMBIGUOUS, "MalformedResponse", f"ListShards has over {MAX_PAGES} pages")

    async def summary(self) -> StreamSummary:
        return parse_summary(await self._call("DescribeStreamSummary", msgspec.json.encode(self._stream)))

    async def get_shard_iterator(self, shard_id: str, position: Position) -> str:
        request = iterator_request(self._stream, shard_id, position)
        return parse_iterator(await self._call("GetShardIterator", msgspec.json.encode(request)))

    async def get_records(self, iterator: str, shard_id: str, limit: int = 10_000) -> RecordsPage:
        # The iterator names the stream. An ARN is sent too, because the policy of a stream in another account needs it.
        names = {"ShardIterator": iterator, **({"StreamARN": self._arn} if self._arn else {})}
        body = msgspec.json.encode({**names, "Limit": limit})
        response = await self._calls.call("GetRecords", names, body)
        page = parse_records_page(response, shard_id)
        self._endpoint.body_buffers.give_back(response)
        return page

    async def register_consumer(self, name: str) -> str:
        """Register a consumer with enhanced fan-out, or find it; return its ARN when it is ACTIVE.

        Raises:
            RequestFailedError: a call has failed.
            ConfigurationError: subscriptions are not possible, see `subscribe`; nothing was registered.
        """
        stream_arn = self._arn or (await self.summary()).arn
        # Any consumer and shard of the stream have the same address.
        names = {"ConsumerARN": f"{stream_arn}/consumer/{name}:1", "ShardId": "shardId-000000000000"}
        position = {"StartingPosition": starting_position(Position("LATEST"))}
        await self._endpoint.http2_pool(await self._endpoint.template("SubscribeToShard", names | position))
        return await register_consumer(self._calls, stream_arn, name)

    def subscribe(self, consumer_arn: str, shard_id: str, position: Position) -> AsyncGenerator[RecordsPage, None]:
        """Yield the events of one subscription, which the service ends after five minutes.

        The service sends no more than 1 MiB beyond the events that were taken. Closing the generator ends the
        subscription; a `for` that may be left early therefore stands in `contextlib.aclosing`.

        Raises:
            RequestFailedError: the subscription was refused, or it has failed. Records that were yielded remain valid,
                and another subscription may begin after them.
            ConfigurationError: the package h2 is not installed, or the session uses a proxy or `connector_args`.
        """
        return subscribe(self._calls, self._endpoint, consumer_arn, shard_id, position)

    async def close(self) -> None:
        await self._endpoint.close()

    async def _call(self, operation: str, body: bytes | Callable[[], bytes], attempt: Attempt | None = None) -> bytes:
        return await self._calls.call(operation, self._stream, body, attempt)
