"""Requests through aiohttp: those that need a proxy, or what a user gives aiohttp's connector.

aiohttp knows every kind of proxy and can be configured in every way; over a plain connection it costs twice what our
own does (`connections.py`). The rule is the same: what fails before the first byte is written was not sent, what fails
afterwards may have reached the service. How much of a request has left, aiohttp does not tell.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.payload import Payload
from yarl import URL

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.http.http1 import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import AbstractStreamWriter

__all__ = ["post"]

PROXY_AUTHENTICATION_REQUIRED: Final = 407


async def post(
    session: aiohttp.ClientSession,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    proxy: str | None,
    proxy_headers: Mapping[str, str] | None,
) -> HttpResponse:
    """Send a request and read the answer, whatever its status.

    Raises:
        RequestFailedError: there is no answer, or not all of it.
    """
    payload = _Body(body)
    to = URL(url, encoded=True)
    try:
        async with session.post(
            to, data=payload, headers=headers, proxy=proxy, proxy_headers=proxy_headers, allow_redirects=False
        ) as answer:
            told = {name.lower(): value for name, value in answer.headers.items()}
            return HttpResponse(answer.status, told, await answer.read())
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
    """A request's body that knows whether its writing began."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)
        self.began = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.began = True
        await writer.write(self._value)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)
