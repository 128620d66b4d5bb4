"""HTTP/2 connections to one address: streams share a connection as far as the service allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.fan_out.http2_connection import OK, SubscriptionConnection
from truckstream.kinesis.http.connecting import connected_socket

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    from truckstream.kinesis.fan_out.http2_connection import Http2Stream
    from truckstream.kinesis.session.request_template import RequestTemplate

__all__ = ["Http2Pool"]


class Http2Pool:
    """HTTP/2 connections to one address.

    Args:
        host, port: the address.
        tls: the context for HTTPS, which is changed to offer HTTP/2; or None for HTTP, where the service must know that
            HTTP/2 comes ("prior knowledge").
        connect_timeout: seconds to establish a connection, its handshakes included.
        response_timeout: seconds to the head of a response.
    """

    def __init__(
        self, host: str, port: int, tls: ssl.SSLContext | None, *, connect_timeout: float, response_timeout: float
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        if tls is not None:
            tls.set_alpn_protocols(["h2"])
        self._connect_timeout = connect_timeout
        self._response_timeout = response_timeout
        self._connections: list[SubscriptionConnection] = []
        self._connecting = asyncio.Lock()

    async def request(self, template: RequestTemplate, signature: Mapping[str, str], body: bytes) -> Http2Stream:
        """Send a request, and return its stream when the head of the response, or the whole of an error, has come.

        Raises:
            RequestFailedError: there was no response.
        """
        stream = await self._open_stream(_headers(template, signature, body), body)
        try:
            await stream.read_head(self._response_timeout)
        except BaseException:
            stream.close()
            raise
        if stream.status != OK:
            stream.close()
        return stream

    async def close(self) -> None:
        """Close all connections; their streams fail."""
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()
        await asyncio.gather(*(connection.lost for connection in connections))

    async def _open_stream(self, headers: Sequence[tuple[str, str]], body: bytes) -> Http2Stream:
        async with self._connecting:  # many subscriptions begin together, and one connection is enough for them
            self._connections = [connection for connection in self._connections if connection.is_open]
            connection = next((each for each in self._connections if each.has_room), None)
            if connection is None:
                connection = await self._connect()
                self._connections.append(connection)
            return connection.open_stream(headers, body)

    async def _connect(self) -> SubscriptionConnection:
        loop = asyncio.get_running_loop()
        async with connected_socket(self._host, self._port, self._connect_timeout) as connected:
            name = self._host if self._tls else None
            transport, connection = await loop.create_connection(
                lambda: SubscriptionConnection(loop), sock=connected, ssl=self._tls, server_hostname=name
            )
            if self._tls and transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
                connection.abort()
                text = f"{self._host}:{self._port} does not offer HTTP/2, which enhanced fan-out needs"
                raise RequestFailedError(FailureKind.PERMANENT, "NoHttp2", text)
            try:
                await connection.settings
            except BaseException:
                connection.abort()
                raise
        return connection


def _headers(template: RequestTemplate, signature: Mapping[str, str], body: bytes) -> list[tuple[str, str]]:
    address = urlsplit(template.url)
    added = {**template.headers, **{name.lower(): value for name, value in signature.items()}}
    host = added.pop("host")
    return [
        (":method", "POST"),
        (":scheme", address.scheme),
        (":authority", host),
        (":path", (address.path or "/") + (f"?{address.query}" if address.query else "")),
        *added.items(),
        ("content-length", str(len(body))),
    ]
