"""A client for one stream: a call is one attempt, and an attempt that fails raises what the failure means.

`StreamClient` is the interface that a producer needs, and `KinesisClient` implements it over the network. A request is
sent again only if its records are known not to be stored, and only once: one that was rejected for its time or its
credentials is signed again, with the service's time or with new credentials. Any other retry in here could store a
record twice, and nobody would know.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from truckstream.errors import ConfigurationError
from truckstream.kinesis.attempt import Attempt, current_attempt
from truckstream.kinesis.encoding import EncodableRecord, encode_body
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.responses import RecordResponse, parse_error, parse_put_records, parse_shards, parse_summary
from truckstream.kinesis.session.service_clock import ServiceClock
from truckstream.kinesis.session.session_endpoint import SessionEndpoint
from truckstream.kinesis.session.signing import Keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiobotocore.session import AioSession

    from truckstream.kinesis.http.http1 import HttpResponse
    from truckstream.kinesis.responses import StreamSummary
    from truckstream.kinesis.session.request_template import RequestTemplate
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

OK: Final = 200

#: "MaxResults ... The default value is 1000" shards a page (API reference of ListShards). No stream comes near so many
#: shards, so a service that has yet another page would never end.
MAX_PAGES: Final = 200

#: Seconds that credentials may take, if `request_timeout` is less. A metadata service, a role or a single sign-on takes
#: several calls, each with retries of botocore's, and a credential process starts a program.
CREDENTIALS_SECONDS: Final = 20.0

#: The keys of a session whose requests are not signed.
NO_KEYS: Final = Keys("", "", None)

#: The service does not know the access key, or no longer knows it: other credentials may help, the same ones do not.
_UNKNOWN_KEY_CODES: Final = {"UnrecognizedClientException", "InvalidClientTokenId"}


class KinesisClient:
    """A `StreamClient` with its own encoder, signer and parser, and with the settings of an aiobotocore session.

    Args:
        stream: the stream's name, or its ARN, which also names the region.
        region_name: as in aiobotocore; by default the session's.
        endpoint_url: another endpoint than the region's, such as a local server's.
        session: an aiobotocore session (or aioboto3's `_session`); by default a new one, which shares botocore's data
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
        session: AioSession | None = None,
        connections: int = 10,
        request_timeout: float = 10.0,
    ) -> None:
        arn = _ARN.fullmatch(stream)
        if arn is None and not _NAME.fullmatch(stream):
            hint = "Pass the stream's name (1 to 128 letters, digits, _ . -) or its full ARN."
            raise ConfigurationError("stream", f"is {stream!r}, which is not a stream's name", hint)
        self._stream = {"StreamARN": stream} if arn else {"StreamName": stream}
        #: The name alone, without the account and region of an ARN.
        self.stream_name = arn["name"] if arn else stream
        self._clock = ServiceClock()
        self._credentials_timeout = max(CREDENTIALS_SECONDS, request_timeout)
        self._endpoint = SessionEndpoint(
            region_name=region_name or (arn["region"] if arn else None),
            endpoint_url=endpoint_url,
            session=session,
            connections=connections,
            request_timeout=request_timeout,
        )

    async def open(self) -> None:
        await self._endpoint.open()

    async def put_records(self, records: Sequence[EncodableRecord]) -> Sequence[RecordResponse]:
        body = encode_body(self._stream, records)
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

    async def close(self) -> None:
        await self._endpoint.close()

    async def _call(self, operation: str, body: bytes, attempt: Attempt | None = None) -> bytes:
        """Send one request, signed again where that helps, and return the body of the response."""
        attempt = attempt or Attempt()
        attempt.prepare()
        template, keys = await self._template_and_keys(operation)
        curable = {FailureKind.CLOCK_SKEW, FailureKind.CREDENTIALS}
        while True:
            offset = self._clock.offset
            signature = template.signer.sign(body, keys, self._clock.at(time.time())) if template.signer else {}
            response = await self._endpoint.send(template, signature, body, attempt)
            if response.status == OK:
                return response.body
            failure = parse_error(response.status, response.headers.get("x-amzn-errortype"), response.body)
            kind = FailureKind.CREDENTIALS if failure.code in _UNKNOWN_KEY_CODES else failure.kind
            if kind in curable:
                attempt.prepare()
                new_keys = await self._keys_after(kind, response, keys, offset)
            else:
                new_keys = None
            if not new_keys:
                try:
                    raise failure
                finally:
                    del failure  # its traceback holds this frame, and so the body: a cycle that only gc would free
            curable.remove(kind)
            keys = new_keys

    async def _template_and_keys(self, operation: str) -> tuple[RequestTemplate, Keys]:
        async with self._patience_for_credentials():
            template = await self._endpoint.template(operation, self._stream)
            return template, await self._endpoint.credentials.current() if template.signer else NO_KEYS

    async def _keys_after(self, kind: FailureKind, response: HttpResponse, keys: Keys, offset: float) -> Keys | None:
        """Correct the clock or renew the credentials; return the keys to sign with again, None if nothing changed.

        The rejected request was signed with `keys`, and with the clock at `offset`.
        """
        if kind is FailureKind.CLOCK_SKEW:
            return keys if self._clock.correct(response.headers.get("date"), time.time(), offset) else None
        async with self._patience_for_credentials():
            renewed = await self._endpoint.credentials.renew(keys)
        return None if renewed == keys else renewed

    @contextlib.asynccontextmanager
    async def _patience_for_credentials(self) -> AsyncIterator[None]:
        """Bound the wait for credentials: their provider may be a metadata service or a program that never ends."""
        limit = asyncio.timeout(self._credentials_timeout)
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            text = f"no credentials within {self._credentials_timeout:g} s"
            raise RequestFailedError(FailureKind.CREDENTIALS, "TimeoutError", text) from error
