"""The server below the endpoint: it accepts connections, recognises their HTTP version and holds their limits.

The SDKs that require HTTP/2 for Kinesis assume it over plain HTTP as well, and their first bytes are the preface of
HTTP/2. So the server looks at the first bytes of each connection, and passes it to aiohttp or to an `Http2Connection`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web

from truckstream.local.http.http2.http2_connection import PREFACE, Http2Connection
from truckstream.local.http.limits.memory_budget import MemoryBudget
from truckstream.local.http.limits.open_connections import Connection, OpenConnections
from truckstream.local.http.listener import Listener
from truckstream.local.protocol.api_call import CONTENT_TYPE, MAX_BODY, refuse
from truckstream.local.service.errors import RefusedError

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Callable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

    from truckstream.local.http.limits.server_limits import ServerLimits

__all__ = ["Http1And2Server", "RequestProtocol"]

_log: Final = logging.getLogger(__name__)
#: How long a connection that is refused is kept for its first request, which is answered with the reason.
_REFUSAL_SECONDS: Final = 1.0
#: Number of connections that are kept for that.
_REFUSALS: Final = 16
#: How long a request may go on when the server closes.
_SHUTDOWN_SECONDS: Final = 0.1


class Http1And2Server(web.Server):
    """aiohttp's low-level server, extended by HTTP/2 and by limits.

    Args:
        handler: responds to a request.
        limits: the limits of connections.
        tls: the TLS context, or None for plain HTTP.
        options: the options of aiohttp's `RequestHandler`.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        limits: ServerLimits,
        tls: ssl.SSLContext | None,
        **options: Any,
    ) -> None:
        super().__init__(handler, request_factory=_make_request, **options)
        self.limits = limits
        self.open_connections = OpenConnections(limits)
        self.responses = MemoryBudget(limits.connection_response_bytes, limits.response_bytes)
        self._tls = tls
        self._refused: set[_RefusedConnection] = set()
        self._listener = Listener(self._accept, self.open_connections.close_idlest)

    async def listen(self, host: str, port: int) -> int:
        """Accept connections, and return the port.

        Raises:
            OSError: it cannot listen there.
        """
        return await self._listener.open(host, port)

    async def close(self) -> None:
        """Stop accepting connections, give those that are busy a moment, and close all."""
        await self._listener.close()
        self.pre_shutdown()
        await self.shutdown(_SHUTDOWN_SECONDS)
        self.open_connections.abort_all()
        for refused in self._refused:
            refused.abort()

    def request_protocol(self, connection: Connection, *, is_counted: bool) -> RequestProtocol:
        """Return the protocol that serves requests in HTTP/1.1."""
        return RequestProtocol(self, connection, is_counted=is_counted, loop=self._loop, **self._kwargs)

    def _accept(self, accepted: socket.socket) -> None:
        connection = Connection()
        if self.open_connections.admit(connection):
            protocol = _NewConnection(self, connection)
            connection.opening = asyncio.ensure_future(self._open(accepted, protocol, self._tls))
            connection.opening.add_done_callback(partial(self._drop_unopened, connection, accepted))
            return
        if not self._refused:
            _log.warning("refused a connection: %d are open, and all have requests", self.limits.connections)
        if self._tls is None and len(self._refused) < _REFUSALS:
            refused = _RefusedConnection(self._refused, self.limits.connections)
            refused.opening = asyncio.ensure_future(self._open(accepted, refused, None))
        else:
            accepted.close()

    async def _open(self, accepted: socket.socket, protocol: asyncio.Protocol, tls: ssl.SSLContext | None) -> None:
        with suppress(OSError):  # the client has left, or speaks no TLS, or does not trust the certificate
            await self._loop.connect_accepted_socket(lambda: protocol, accepted, ssl=tls)

    def _drop_unopened(self, connection: Connection, accepted: socket.socket, _opening: asyncio.Task[None]) -> None:
        if connection.transport is None:
            accepted.close()
            self.open_connections.remove(connection)


class RequestProtocol(web.RequestHandler):
    """aiohttp's protocol of a connection with HTTP/1.1, or of one request with HTTP/2.

    Args:
        server: the server.
        connection: the connection.
        is_counted: whether requests make the connection busy; with HTTP/2 its own protocol sees to that.
        options: the options of aiohttp's `RequestHandler`.
    """

    __slots__ = ("_connections", "_is_counted", "_responses", "connection", "send_seconds")

    def __init__(self, server: Http1And2Server, connection: Connection, *, is_counted: bool, **options: Any) -> None:
        super().__init__(server, **options)
        self.connection = connection
        self._connections = server.open_connections
        self._responses = server.responses
        self.send_seconds = server.limits.send_seconds
        self._is_counted = is_counted

    def begin_request(self) -> None:
        """Note that the head of a request has been read."""
        if self._is_counted:
            self._connections.begin_request(self.connection)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response, and close the connection if the client does not accept it."""
        size = len(resp.body) if isinstance(resp, web.Response) and isinstance(resp.body, bytes) else 0
        if not self._responses.take(self.connection, size):
            size, resp = 0, web.Response(status=503, text="The clients leave too many responses unread. Retry.")
        try:
            async with asyncio.timeout(self.send_seconds):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()
            return resp, True
        finally:
            self._responses.give_back(self.connection, size)
            if self._is_counted:
                self._connections.end_request(self.connection)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._is_counted:
            self._connections.remove(self.connection)
        super().connection_lost(exc)


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    cast("RequestProtocol", protocol).begin_request()
    return web.BaseRequest(message, payload, protocol, writer, task, task.get_loop(), client_max_size=MAX_BODY)


class _NewConnection(asyncio.Protocol):
    """A connection whose HTTP version is not known yet."""

    def __init__(self, server: Http1And2Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection.transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) < len(PREFACE) and PREFACE.startswith(self._received):
            return
        transport = self._connection.transport
        assert transport is not None  # noqa: S101 - this is its protocol
        protocol = self._http2() if self._received.startswith(PREFACE) else self._http1(is_counted=True)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(self._received)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._server.open_connections.remove(self._connection)

    def _http1(self, *, is_counted: bool) -> RequestProtocol:
        return self._server.request_protocol(self._connection, is_counted=is_counted)

    def _http2(self) -> Http2Connection:
        serve = partial(self._http1, is_counted=False)
        return Http2Connection(serve, self._server.open_connections, self._connection, self._server.limits.send_seconds)


class _RefusedConnection(asyncio.Protocol):
    """A connection that is kept until its first request can be answered."""

    #: Creates its transport.
    opening: asyncio.Task[None]

    def __init__(self, refused: set[_RefusedConnection], maximum: int) -> None:
        self._refused = refused
        self._maximum = maximum

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._refused.add(self)
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._timer = asyncio.get_running_loop().call_later(_REFUSAL_SECONDS, self._transport.abort)

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - the protocol's signature
        text = f"The local Kinesis has {self._maximum} connections with requests, its maximum. Close some, and retry."
        response = refuse(RefusedError("ServiceUnavailable", text), CONTENT_TYPE)
        head = (
            f"HTTP/1.1 {response.status} Service Unavailable\r\nContent-Type: {response.content_type}\r\n"
            f"Content-Length: {len(response.body)}\r\nConnection: close\r\n\r\n"
        )
        self._transport.write(head.encode() + response.body)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._timer.cancel()
        self._refused.discard(self)
