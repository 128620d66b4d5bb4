"""One HTTP request over one of aiohttp's connections, and what its failure means for the records in it.

Whatever fails before the first byte is written was not sent; whatever fails afterwards may have reached the service.
So the body is a payload that knows whether its writing began, and that looks at the connection first: one that the
service has closed while it was idle is given back unused, and the next one is tried at once. Without this look a
kept connection that is closed at the wrong moment would make 500 records possible duplicates.

This file is imported when a client opens, because aiohttp takes 0.2 s of CPU to import.
"""

from __future__ import annotations

import select
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.payload import Payload

from truckstream.kinesis.failures import FailureKind, RequestFailedError

if TYPE_CHECKING:
    from asyncio import WriteTransport
    from collections.abc import Mapping

    from aiohttp.abc import AbstractStreamWriter
    from yarl import URL

__all__ = ["HttpAnswer", "post"]

#: Connections found dead in a row before the request counts as not sent: more than a pool usually keeps.
MAX_DEAD_CONNECTIONS: Final = 100

#: The service has closed its end: told by the kernel without reading, so that it works beneath TLS too. Linux only;
#: elsewhere such a connection is noticed when its closing reaches the event loop.
_PEER_CLOSED: Final = getattr(select, "POLLRDHUP", 0)

PROXY_AUTHENTICATION_REQUIRED: Final = 407


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer with its body read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def post(
    session: aiohttp.ClientSession,
    url: URL,
    headers: Mapping[str, str],
    body: bytes,
    *,
    proxy: str | None,
    proxy_headers: Mapping[str, str] | None,
) -> HttpAnswer:
    """Send `body` and read the answer, whatever its status.

    Raises:
        RequestFailedError: there is no answer, or not all of it.
    """
    for _ in range(MAX_DEAD_CONNECTIONS):
        payload = _Body(body)
        try:
            async with session.post(
                url, data=payload, headers=headers, proxy=proxy, proxy_headers=proxy_headers, allow_redirects=False
            ) as response:
                return HttpAnswer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if payload.connection_was_dead:
                continue
            raise RequestFailedError(_kind_of(error, payload), type(error).__name__, str(error)) from error
    raise RequestFailedError(FailureKind.NOT_SENT, "DeadConnections", "the service closes every connection")


def _kind_of(error: BaseException, payload: _Body) -> FailureKind:
    if payload.began:
        return FailureKind.AMBIGUOUS
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError)):
        return FailureKind.PERMANENT
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status == PROXY_AUTHENTICATION_REQUIRED:
        return FailureKind.PERMANENT
    return FailureKind.NOT_SENT


class _ConnectionDeadError(OSError):
    """The connection was closed before anything was written to it."""


class _Body(Payload):
    """A request's body that knows whether it was begun."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)
        self.began = False
        self.connection_was_dead = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        transport = writer.transport
        if transport is None or transport.is_closing() or _is_closed_by_peer(transport):
            self.connection_was_dead = True
            raise _ConnectionDeadError("the connection was closed while it was idle")
        self.began = True
        await writer.write(self._value)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)


def _is_closed_by_peer(transport: WriteTransport) -> bool:
    connection: Any = transport.get_extra_info("socket")
    if not _PEER_CLOSED or connection is None:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), _PEER_CLOSED)
    return bool(poll.poll(0))
