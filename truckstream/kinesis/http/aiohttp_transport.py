"""Requests through aiohttp: those that need a proxy, or arguments that the user has set for aiohttp's connector.

aiohttp knows every kind of proxy and can be configured in every way. Over a plain connection it costs three times what
a connection of our own does (`connection_pool.py`), and it does not know how much of a request has left. So the rule
here is coarser: a request that fails before the first byte of its body is written was not sent; one that fails
afterwards may have reached the service.

aiohttp's own timeouts leave gaps: none of them ends the wait for a proxy's response to CONNECT or for the other side to
take a request, and each byte of a response renews the one for reading. So one limit moves along with the request:
`connect` seconds until the body is begun, `response` seconds for each part of the body, and as long again from the last
part to the end of the response, or to the next 256 KiB of it. The caller bounds the whole by cancelling `post`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.payload import Payload
from yarl import URL

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.http.http1 import MAX_BODY_BYTES, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.abc import AbstractStreamWriter

    from truckstream.kinesis.attempt import Attempt

__all__ = ["make_session", "post"]

PROXY_AUTHENTICATION_REQUIRED: Final = 407

#: So many bytes of a response renew the time for it, as in `connection_pool.py`.
STEP_BYTES: Final = 256 * 1024

#: A body is written in parts of this size. Even an uplink of 7 kB/s takes one within the default `response` seconds.
PART_BYTES: Final = 64 * 1024


def make_session(tls: ssl.SSLContext, connections: int, connector_args: Mapping[str, Any]) -> aiohttp.ClientSession:
    """Make a session like aiobotocore's own, without timeouts."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ssl=tls, **connector_args),
        timeout=aiohttp.ClientTimeout(),
        skip_auto_headers={"Content-Type"},
        auto_decompress=False,
    )


async def post(
    session: aiohttp.ClientSession,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    attempt: Attempt,
    *,
    proxy: str | None,
    timeouts: tuple[float, float],
    max_body_bytes: int = MAX_BODY_BYTES,
) -> HttpResponse:
    """Send a request and return the response of any status.

    `attempt` is told of the progress. `timeouts` are the seconds to connect, and those without progress afterwards. A
    response with a body of over `max_body_bytes` is malformed.

    Raises:
        RequestFailedError: there was no response, or it was incomplete; or the attempt was withdrawn.
    """
    connect, response_timeout = timeouts
    limit = asyncio.timeout(connect)
    loop = asyncio.get_running_loop()

    def on_progress() -> None:
        with contextlib.suppress(RuntimeError):  # the request has ended, and its writer has not noticed yet
            limit.reschedule(loop.time() + response_timeout)

    payload = _Body(body, attempt, on_progress)
    to = URL(url, encoded=True)
    try:
        async with (
            limit,
            session.post(to, data=payload, headers=headers, proxy=proxy, allow_redirects=False) as response,
        ):
            received = {name.lower(): value for name, value in response.headers.items()}
            return HttpResponse(response.status, received, await _read(response, max_body_bytes, on_progress))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        text = str(error)
        if limit.expired():
            text = (
                f"{response_timeout:g} s without progress" if payload.began else f"no connection within {connect:g} s"
            )
        raise RequestFailedError(_kind_of(error, payload), type(error).__name__, text) from error


async def _read(response: aiohttp.ClientResponse, max_bytes: int, on_progress: Callable[[], None]) -> bytes:
    body = bytearray()
    next_step = STEP_BYTES
    async for part in response.content.iter_any():
        body += part
        if len(body) > max_bytes:
            raise aiohttp.ClientPayloadError(f"the response has over {max_bytes} bytes")
        if len(body) >= next_step:
            on_progress()
            next_step = len(body) + STEP_BYTES
    return bytes(body)


def _kind_of(error: BaseException, payload: _Body) -> FailureKind:
    if payload.began:
        return FailureKind.AMBIGUOUS
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError)):
        return FailureKind.PERMANENT
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status == PROXY_AUTHENTICATION_REQUIRED:
        return FailureKind.PERMANENT
    return FailureKind.NOT_SENT


class _Body(Payload):
    """A request's body that reports the progress of its writing."""

    def __init__(self, body: bytes, attempt: Attempt, on_progress: Callable[[], None]) -> None:
        super().__init__(body)
        self._size = len(body)
        self._attempt = attempt
        self._on_progress = on_progress
        self.began = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        self._attempt.begin()
        self.began = True
        self._attempt.finish()  # how much of it has left is not known
        for start in range(0, len(self._value), PART_BYTES):
            self._on_progress()
            await writer.write(self._value[start : start + PART_BYTES])
            await writer.drain()
        self._on_progress()

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)
