"""Requests through aiohttp: those that need a proxy, or arguments that the user has set for aiohttp's connector.

aiohttp knows every kind of proxy and can be configured in every way. Over a plain connection it costs three times what
a connection of our own does (`connection_pool.py`), and it does not know how much of a request has left. So the rule
here is coarser: a request that fails before the first byte of its body is written was not sent; one that fails
afterwards may have reached the service.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.payload import Payload
from yarl import URL

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.http.http1 import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import AbstractStreamWriter

__all__ = ["make_session", "post"]

PROXY_AUTHENTICATION_REQUIRED: Final = 407


def make_session(
    tls: ssl.SSLContext, timeouts: tuple[float, float], connections: int, connector_args: Mapping[str, Any]
) -> aiohttp.ClientSession:
    """Make a session like aiobotocore's own. `timeouts` are the seconds to connect and those without a byte."""
    connect, read = timeouts
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ssl=tls, **connector_args),
        timeout=aiohttp.ClientTimeout(sock_connect=connect, sock_read=read),
        skip_auto_headers={"Content-Type"},
        auto_decompress=False,
    )


async def post(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], body: bytes, *, proxy: str | None
) -> HttpResponse:
    """Send a request and return the response of any status.

    Raises:
        RequestFailedError: there was no response, or it was incomplete.
    """
    payload = _Body(body)
    to = URL(url, encoded=True)
    try:
        async with session.post(to, data=payload, headers=headers, proxy=proxy, allow_redirects=False) as response:
            received = {name.lower(): value for name, value in response.headers.items()}
            return HttpResponse(response.status, received, await response.read())
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise RequestFailedError(_kind_of(error, payload), type(error).__name__, str(error)) from error


def _kind_of(error: BaseException, payload: _Body) -> FailureKind:
    if payload.began:
        return FailureKind.AMBIGUOUS
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError)):
        return FailureKind.PERMANENT
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status == PROXY_AUTHENTICATION_REQUIRED:
        return FailureKind.PERMANENT
    return FailureKind.NOT_SENT


class _Body(Payload):
    """A request's body that records whether its writing has begun."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)
        self.began = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.began = True
        await writer.write(self._value)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)
