"""HTTP/2, for the clients that require it for Kinesis.

These are the asynchronous client of the AWS SDK for Java, which the Kinesis Client Library uses, and the AWS SDK for
JavaScript v3. An `Http2Connection` forwards each request as HTTP/1.1 to aiohttp, over a connection within this process,
while it arrives, and sends the response back. So there is one endpoint with its limits and faults: if it resets the
connection of a request, the stream of the request is reset here.

Flow control keeps the memory small: bytes of a request are acknowledged when the endpoint can take more, and bytes of a
response are sent when the client can.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

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

from truckstream.local.http.http2.http1_messages import read_response_body, read_response_head
from truckstream.local.http.http2.request_stream import RequestStream
from truckstream.local.service.quotas.shard_quota import QuotaBucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.local.http.limits.open_connections import Connection, OpenConnections

__all__ = ["PREFACE", "Http2Connection"]

#: The first bytes of a client.
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: Bytes that a client may send before it has to wait for an acknowledgement: for one request, and for all of them.
_STREAM_WINDOW: Final = 1024 * 1024
_WINDOW: Final = 64 * 1024 * 1024
#: Headers of a response that belong to its connection.
_NOT_RETURNED: Final = {"connection", "transfer-encoding"}
#: Bytes that are received at a time. A frame can have ten of them and takes 20 µs; to begin and reset a request takes
#: 30 and 0.3 ms. With more at a time, one client would hold up all others.
_RECEIVED: Final = 16 * 1024
#: How often a client may reset a request in a second. Those of a working client are rare, even if it shuts down with
#: 100 requests; an attack ("rapid reset") begins and resets requests in order to exceed the limit on their number.
_RESETS_PER_SECOND: Final = 200


class _TooManyResetsError(Exception):
    """The client resets requests faster than a working client does."""


class Http2Connection(asyncio.BufferedProtocol):
    """A connection of a client that uses HTTP/2.

    Args:
        serve: makes the protocol that serves one request in HTTP/1.1.
        connections: the open connections, which count the requests of this one.
        connection: this one, as they know it.
        send_seconds: how long the client may take to accept a part of a response.
    """

    def __init__(
        self,
        serve: Callable[[], asyncio.Protocol],
        connections: OpenConnections,
        connection: Connection,
        send_seconds: float,
    ) -> None:
        self._serve = serve
        self._connections = connections
        self._connection = connection
        self._send_seconds = send_seconds
        self._http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        # asyncio's TLS reads into slices of it, and a slice of a bytearray would be a copy.
        self._buffer = memoryview(bytearray(_RECEIVED))
        self._streams: dict[int, RequestStream] = {}
        #: Set when a response can perhaps go on: the client has opened its window, or its socket has room again.
        self._room_changed = asyncio.Event()
        self._is_writable = True
        self._resets = QuotaBucket(_RESETS_PER_SECOND, asyncio.get_running_loop().time())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the settings of this side."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._http2.initiate_connection()
        self._http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW})
        self._http2.increment_flow_control_window(_WINDOW)
        self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's signature
        """Return the buffer for bytes from the client."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Process bytes from the client."""
        self.data_received(bytes(self._buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Process bytes from the client."""
        is_welcome = True
        try:
            for start in range(0, len(data), _RECEIVED):
                for event in self._http2.receive_data(data[start : start + _RECEIVED]):
                    self._handle_event(event)
        except _TooManyResetsError:
            self._http2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
            is_welcome = False
        except (ProtocolError, UnicodeDecodeError):  # the second one for a header
            is_welcome = False
        self._flush()
        if not is_welcome:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Cancel the requests, because the client has disconnected."""
        self._connections.remove(self._connection)
        for stream in self._streams.values():
            stream.task.cancel()

    def pause_writing(self) -> None:
        """Stop reading, because each request, ping or reset leads to bytes that the client does not accept."""
        self._is_writable = False
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on when the client has accepted some bytes."""
        self._is_writable = True
        self._transport.resume_reading()
        self._room_changed.set()

    def _handle_event(self, event: Any) -> None:
        match event:
            case RequestReceived(stream_id=int(number), headers=headers):
                self._begin([(str(name), str(value)) for name, value in headers], number)
            case DataReceived(stream_id=int(number), data=bytes(data), flow_controlled_length=int(length)):
                self._receive_body(number, data, length)
            case StreamEnded(stream_id=int(number)) if number in self._streams:
                self._streams[number].end_body()
            case StreamReset(stream_id=int(number)) if number in self._streams:
                self._count_reset()
                self._streams[number].task.cancel()
            case WindowUpdated() | RemoteSettingsChanged():
                self._room_changed.set()
            case ConnectionTerminated():
                self._transport.close()
            case _:
                pass

    def _count_reset(self) -> None:
        self._resets.refill(asyncio.get_running_loop().time())
        if not self._resets.has(1):
            raise _TooManyResetsError
        self._resets.take(1)

    def _begin(self, headers: list[tuple[str, str]], number: int) -> None:
        """Begin a request. If it is reset with the bytes that were received now, it costs no more than its task."""
        stream = RequestStream(headers)
        stream.task = asyncio.ensure_future(self._forward(number, stream))
        stream.task.add_done_callback(partial(self._end, number, stream))
        self._streams[number] = stream
        self._connections.begin_request(self._connection)

    def _end(self, number: int, stream: RequestStream, _task: asyncio.Task[None]) -> None:
        del self._streams[number]
        stream.close()
        self._acknowledge(number, stream)
        self._connections.end_request(self._connection)

    def _receive_body(self, number: int, data: bytes, length: int) -> None:
        stream = self._streams.get(number)
        if stream is None:  # it has its response already
            self._http2.acknowledge_received_data(length, number)
            return
        stream.unacknowledged += length
        stream.add(data)
        if not stream.is_paused:
            self._acknowledge(number, stream)

    def _acknowledge(self, number: int, stream: RequestStream) -> None:
        """Let the client send as much as it has sent of a request."""
        length, stream.unacknowledged = stream.unacknowledged, 0
        with suppress(ProtocolError):  # the client has left
            self._http2.acknowledge_received_data(length, number)
        self._flush()

    async def _forward(self, number: int, stream: RequestStream) -> None:
        """Forward a request to the endpoint, and send the response piece by piece."""
        response = stream.open(self._serve(), partial(self._acknowledge, number, stream))
        try:
            headers = await read_response_head(response)
            self._http2.send_headers(number, [pair for pair in headers if pair[0] not in _NOT_RETURNED])
            self._flush()
            async for piece in read_response_body(response, dict(headers)):
                await self._send(number, piece)
            self._http2.end_stream(number)
            if not stream.is_ended:
                self._http2.reset_stream(number, ErrorCodes.NO_ERROR)  # the rest of the request is not needed
        except (OSError, EOFError, ProtocolError):  # a fault has reset it, or the client has disconnected or hangs
            with suppress(ProtocolError):
                self._http2.reset_stream(number, ErrorCodes.INTERNAL_ERROR)
        self._flush()

    async def _send(self, number: int, piece: bytes) -> None:
        """Send a piece of the body, as much at a time as the client's window and socket allow."""
        left = memoryview(piece)
        while left:
            room = min(self._http2.local_flow_control_window(number), self._http2.max_outbound_frame_size)
            if room > 0 and self._is_writable:
                self._http2.send_data(number, bytes(left[:room]))
                left = left[room:]
                self._flush()
            else:
                self._room_changed.clear()
                async with asyncio.timeout(self._send_seconds):
                    await self._room_changed.wait()

    def _flush(self) -> None:
        if data := self._http2.data_to_send():
            self._transport.write(data)
