"""HTTP/2, which some clients insist on for Kinesis.

They are the asynchronous client of the AWS SDK for Java, with it the Kinesis Client Library, and the AWS SDK for
JavaScript v3. Over plain HTTP such a client knows beforehand that the server speaks HTTP/2: its first bytes are the
preface. `AnyHttp` looks at the first bytes of each connection and gives it to aiohttp, or to an `Http2Connection`. That
one hands each request as HTTP/1.1 to aiohttp over a pair of sockets of this process, and sends back what is answered.
So there is one endpoint, with its faults: a reset there is a reset of the request's stream here.
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

from truckstream.local.protocol.protocol import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp.web_protocol import RequestHandler

__all__ = ["AnyHttp", "Http2Connection"]

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: How much a client may send before it has to wait for us: several requests of the largest size.
_WINDOW: Final = 64 * 1024 * 1024
#: Headers of the connection, and those that are said anew.
_NOT_HANDED_ON: Final = {"connection", "content-length", "expect", "host", "te", "transfer-encoding"}
_PIECE: Final = 64 * 1024


class AnyHttp(web.Server):
    """aiohttp's low-level server, which serves HTTP/2 as well."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._open: set[_FirstBytes | Http2Connection] = set()

    def __call__(self) -> RequestHandler:
        """The protocol of one connection."""
        return _FirstBytes(super().__call__, self._open)  # type: ignore[return-value]

    def pre_shutdown(self) -> None:
        """Close the connections that aiohttp does not know of, and let it close its own."""
        for connection in tuple(self._open):
            connection.close()
        super().pre_shutdown()


class _FirstBytes(asyncio.Protocol):
    """A connection until it has shown what it speaks."""

    def __init__(self, serve: Callable[[], RequestHandler], open_ones: set[Any]) -> None:
        self._serve = serve
        self._open_ones = open_ones
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self._open_ones.add(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) < len(_PREFACE) and _PREFACE.startswith(self._received):
            return
        is_http2 = self._received.startswith(_PREFACE)
        self._open_ones.discard(self)
        protocol = Http2Connection(self._serve, self._open_ones) if is_http2 else self._serve()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._received)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._open_ones.discard(self)

    def close(self) -> None:
        self._transport.close()


class _Exchange:
    """A request as it comes in, and the task that answers it."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.task: asyncio.Task[None] | None = None
        self._body: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """A piece of the body has come. One that is too large is counted, and not kept."""
        self._size += len(piece)
        if self._size <= MAX_BODY:
            self._body.append(piece)
        else:
            self._body.clear()

    def request(self) -> bytes:
        """The whole of it in HTTP/1.1. One that was too large is refused for the length that it tells."""
        return b"".join((self.head, b"content-length: %d\r\n\r\n" % self._size, *self._body))


class Http2Connection(asyncio.Protocol):
    """One connection of a client that speaks HTTP/2.

    Args:
        serve: makes the protocol that answers a request of HTTP/1.1.
        open_ones: where it is found while it is open.
    """

    def __init__(self, serve: Callable[[], asyncio.Protocol], open_ones: set[Any]) -> None:
        self._serve = serve
        self._open_ones = open_ones
        self._http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._exchanges: dict[int, _Exchange] = {}
        self._may_send = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what this side allows."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self._open_ones.add(self)
        self._http2.initiate_connection()
        self._http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW})
        self._http2.increment_flow_control_window(_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take in what the client sent."""
        try:
            for event in self._http2.receive_data(data):
                self._happened(event)
        except (ProtocolError, UnicodeDecodeError):  # the latter of a header
            self._flush()
            self._transport.close()
        else:
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Nobody waits for the answers any more."""
        self._open_ones.discard(self)
        for exchange in self._exchanges.values():
            if exchange.task is not None:
                exchange.task.cancel()

    def close(self) -> None:
        """Cut it, with the requests that are not answered."""
        self._transport.close()

    def _happened(self, event: Any) -> None:
        match event:
            case RequestReceived(stream_id=int(number), headers=headers):
                self._exchanges[number] = _Exchange(_head([(str(name), str(value)) for name, value in headers]))
            case DataReceived(stream_id=int(number), data=bytes(data), flow_controlled_length=int(length)):
                self._http2.acknowledge_received_data(length, number)
                self._exchanges[number].add(data)
            case StreamEnded(stream_id=int(number)):
                self._exchanges[number].task = asyncio.ensure_future(self._answer(number, self._exchanges[number]))
            case StreamReset(stream_id=int(number)) if (exchange := self._exchanges.get(number)) is not None:
                if exchange.task is None:
                    del self._exchanges[number]
                else:
                    exchange.task.cancel()
            case WindowUpdated() | RemoteSettingsChanged():
                self._may_send.set()
            case ConnectionTerminated():
                self._transport.close()
            case _:
                pass

    async def _answer(self, number: int, exchange: _Exchange) -> None:
        """Have the request answered, and send the answer on as it comes."""
        ours, theirs = socket.socketpair()
        await asyncio.get_running_loop().connect_accepted_socket(self._serve, theirs)
        reader, writer = await asyncio.open_connection(sock=ours, limit=_PIECE)
        try:
            writer.write(exchange.request())
            headers = await _read_head(reader)
            self._http2.send_headers(
                number, [pair for pair in headers if pair[0] not in {"connection", "transfer-encoding"}]
            )
            self._flush()
            async for piece in _read_body(reader, dict(headers)):
                await self._send(number, piece)
            self._http2.end_stream(number)
        except (OSError, EOFError, ProtocolError):  # a fault has cut it, or the client has gone
            with suppress(ProtocolError):
                self._http2.reset_stream(number, ErrorCodes.INTERNAL_ERROR)
        finally:
            del self._exchanges[number]
            writer.close()
            self._flush()

    async def _send(self, number: int, piece: bytes) -> None:
        """Send as much at a time as the client and its window allow."""
        left = memoryview(piece)
        while left:
            room = min(self._http2.local_flow_control_window(number), self._http2.max_outbound_frame_size)
            if room > 0:
                self._http2.send_data(number, bytes(left[:room]))
                left = left[room:]
                self._flush()
            else:
                self._may_send.clear()
                await self._may_send.wait()

    def _flush(self) -> None:
        self._transport.write(self._http2.data_to_send())


def _head(headers: list[tuple[str, str]]) -> bytes:
    """The head of the request in HTTP/1.1, but for its length and its end."""
    found = dict(headers)
    lines = [f"{found[':method']} {found.get(':path', '/')} HTTP/1.1", f"host: {found.get(':authority', '')}"]
    lines += [f"{name}: {value}" for name, value in headers if name[0] != ":" and name not in _NOT_HANDED_ON]
    return ("\r\n".join([*lines, "connection: close"]) + "\r\n").encode()


async def _read_head(reader: asyncio.StreamReader) -> list[tuple[str, str]]:
    """The head of the answer, in HTTP/2's form."""
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    pairs = [line.split(": ", 1) for line in lines]
    return [(":status", status.split(" ")[1])] + [(name.lower(), value) for name, value in pairs]


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """The body of the answer, piece by piece."""
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
