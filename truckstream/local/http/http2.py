"""HTTP/2, for the clients that require it for Kinesis.

These are the asynchronous client of the AWS SDK for Java, which the Kinesis Client Library uses, and the AWS SDK for
JavaScript v3. Over plain HTTP, such a client assumes that the server supports HTTP/2, and its first bytes are the
HTTP/2 preface. `Http1And2Server` looks at the first bytes of each connection and passes it to aiohttp or to an
`Http2Connection`. An `Http2Connection` forwards each request as HTTP/1.1 to aiohttp, over a pair of sockets of this
process, and sends the response back. So there is one endpoint with its faults: if it resets the connection of a
request, the stream of the request is reset here.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from truckstream.local.protocol.api_call import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp.web_protocol import RequestHandler

__all__ = ["Http1And2Server", "Http2Connection"]

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: Bytes that a client may send before it has to wait for an acknowledgement: several requests of maximum size.
_WINDOW: Final = 64 * 1024 * 1024
#: Headers that belong to the connection, and those that are written anew.
_NOT_FORWARDED: Final = {"connection", "content-length", "expect", "host", "te", "transfer-encoding"}
_PIECE: Final = 64 * 1024


class Http1And2Server(web.Server):
    """aiohttp's low-level server, extended to serve HTTP/2 as well."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._open: set[_VersionDetection | Http2Connection] = set()

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return _VersionDetection(super().__call__, self._open)  # type: ignore[return-value]

    def pre_shutdown(self) -> None:
        """Close the connections that aiohttp does not know, and let it close its own."""
        for connection in tuple(self._open):
            connection.close()
        super().pre_shutdown()


class _VersionDetection(asyncio.Protocol):
    """A connection whose HTTP version is not known yet."""

    def __init__(self, serve: Callable[[], RequestHandler], open_connections: set[Any]) -> None:
        self._serve = serve
        self._open_connections = open_connections
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._open_connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) < len(_PREFACE) and _PREFACE.startswith(self._received):
            return
        is_http2 = self._received.startswith(_PREFACE)
        self._open_connections.discard(self)
        protocol = Http2Connection(self._serve, self._open_connections) if is_http2 else self._serve()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._received)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._open_connections.discard(self)

    def close(self) -> None:
        self._transport.close()


class _Http2Request:
    """A request that is being received, and the task that forwards it."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.task: asyncio.Task[None] | None = None
        self._body: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Add a piece of the body. A body that is too large is counted and not kept."""
        self._size += len(piece)
        if self._size <= MAX_BODY:
            self._body.append(piece)
        else:
            self._body.clear()

    def as_http1(self) -> bytes:
        """Return the request in HTTP/1.1. If it is too large, the endpoint rejects it for its Content-Length."""
        return b"".join((self.head, b"content-length: %d\r\n\r\n" % self._size, *self._body))


class Http2Connection(asyncio.Protocol):
    """A connection of a client that uses HTTP/2.

    Args:
        serve: makes the protocol that serves HTTP/1.1.
        open_connections: the set that contains the connection while it is open.
    """

    def __init__(self, serve: Callable[[], asyncio.Protocol], open_connections: set[Any]) -> None:
        self._serve = serve
        self._open_connections = open_connections
        self._http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._requests: dict[int, _Http2Request] = {}
        self._window_opened = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the settings of this side."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._open_connections.add(self)
        self._http2.initiate_connection()
        self._http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW})
        self._http2.increment_flow_control_window(_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Process bytes from the client."""
        try:
            for event in self._http2.receive_data(data):
                self._handle_event(event)
        except (ProtocolError, UnicodeDecodeError):  # the second one for a header
            self._flush()
            self._transport.close()
        else:
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Cancel the requests, because the client has disconnected."""
        self._open_connections.discard(self)
        for request in self._requests.values():
            if request.task is not None:
                request.task.cancel()

    def close(self) -> None:
        """Close the connection, with the requests that have no response yet."""
        self._transport.close()

    def _handle_event(self, event: Any) -> None:
        match event:
            case RequestReceived(stream_id=int(number), headers=headers):
                self._requests[number] = _Http2Request(_head([(str(name), str(value)) for name, value in headers]))
            case DataReceived(stream_id=int(number), data=bytes(data), flow_controlled_length=int(length)):
                self._http2.acknowledge_received_data(length, number)
                self._requests[number].add(data)
            case StreamEnded(stream_id=int(number)):
                self._requests[number].task = asyncio.ensure_future(self._forward(number, self._requests[number]))
            case StreamReset(stream_id=int(number)) if (request := self._requests.get(number)) is not None:
                if request.task is None:
                    del self._requests[number]
                else:
                    request.task.cancel()
            case WindowUpdated() | RemoteSettingsChanged():
                self._window_opened.set()
            case ConnectionTerminated():
                self._transport.close()
            case _:
                pass

    async def _forward(self, number: int, request: _Http2Request) -> None:
        """Forward a request to the endpoint, and send the response piece by piece."""
        ours, theirs = socket.socketpair()
        await asyncio.get_running_loop().connect_accepted_socket(self._serve, theirs)
        reader, writer = await asyncio.open_connection(sock=ours, limit=_PIECE)
        try:
            writer.write(request.as_http1())
            headers = await _read_head(reader)
            self._http2.send_headers(
                number, [pair for pair in headers if pair[0] not in {"connection", "transfer-encoding"}]
            )
            self._flush()
            async for piece in _read_body(reader, dict(headers)):
                await self._send(number, piece)
            self._http2.end_stream(number)
        except (OSError, EOFError, ProtocolError):  # a fault has reset it, or the client has disconnected
            with suppress(ProtocolError):
                self._http2.reset_stream(number, ErrorCodes.INTERNAL_ERROR)
        finally:
            del self._requests[number]
            writer.close()
            self._flush()

    async def _send(self, number: int, piece: bytes) -> None:
        """Send a piece of the body, as much at a time as the client's window allows."""
        left = memoryview(piece)
        while left:
            room = min(self._http2.local_flow_control_window(number), self._http2.max_outbound_frame_size)
            if room > 0:
                self._http2.send_data(number, bytes(left[:room]))
                left = left[room:]
                self._flush()
            else:
                self._window_opened.clear()
                await self._window_opened.wait()

    def _flush(self) -> None:
        self._transport.write(self._http2.data_to_send())


def _head(headers: list[tuple[str, str]]) -> bytes:
    """Return the head of a request in HTTP/1.1, except for its Content-Length and its end."""
    found = dict(headers)
    lines = [f"{found[':method']} {found.get(':path', '/')} HTTP/1.1", f"host: {found.get(':authority', '')}"]
    lines += [f"{name}: {value}" for name, value in headers if name[0] != ":" and name not in _NOT_FORWARDED]
    return ("\r\n".join([*lines, "connection: close"]) + "\r\n").encode()


async def _read_head(reader: asyncio.StreamReader) -> list[tuple[str, str]]:
    """Read the head of a response, and return it in the form of HTTP/2."""
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    pairs = [line.split(": ", 1) for line in lines]
    return [(":status", status.split(" ")[1])] + [(name.lower(), value) for name, value in pairs]


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """Read the body of a response, piece by piece."""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        return
    left = int(headers.get("content-length", 0))
    while left:
        piece = await reader.read(min(left, _PIECE))
        if not piece:
            raise EOFError
        left -= len(piece)
        yield piece
