"""One HTTP/2 connection to the service, with a stream for each subscription. The protocol itself is h2's.

A record of 498 bytes costs about twice as much as by GetRecords (benchmarks/reading_client.py), mostly for h2's work on
its frame. So larger frames than usual are allowed, and windows are opened in large steps.

Flow control limits the memory: the window of a stream is opened for more only when its reader asks for more, so at most
`STREAM_WINDOW` bytes wait for a reader that is busy. The window of the connection is opened at once, so that no busy
reader holds up the others.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from truckstream.kinesis.failures import FailureKind, RequestFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Http2Stream", "SubscriptionConnection"]

#: Bytes that the service may send before a reader asks for more. A shard sends 2 MiB of records a second, 2.8 MB in
#: base64, so the window is enough for a response time of 370 ms.
STREAM_WINDOW: Final = 1024 * 1024
CONNECTION_WINDOW: Final = 32 * 1024 * 1024
#: The window of the connection is opened after so many bytes.
CONNECTION_STEP: Final = CONNECTION_WINDOW // 4
#: HTTP/2's default is 16 KiB. With 32 to 64 KiB a record costs a fifth less; in larger frames it costs more again,
#: because h2 copies a frame twice, into memory that is fetched from the kernel each time.
MAX_FRAME_BYTES: Final = 64 * 1024
OK: Final = 200

#: The longest body of an error.
MAX_ERROR_BYTES: Final = 1024 * 1024


class Http2Stream:
    """One request and its response, which is read piece by piece."""

    def __init__(self, connection: SubscriptionConnection, number: int) -> None:
        self._connection = connection
        self._number = number
        #: 0 until the head of the response has arrived.
        self.status = 0
        self.headers: dict[str, str] = {}
        #: The whole body, if it is that of an error.
        self.body = b""
        self._parts: list[bytes] = []
        self._size = 0  # of the parts, as flow control counts it
        self._processed = 0  # the same of those that were returned last
        self._is_ended = False
        self._failure: RequestFailedError | None = None
        self._changed = asyncio.Event()

    async def read_head(self, silence: float) -> None:
        """Wait for the head of the response, and for the body of an error."""
        while not self.status:
            await self._wait(silence, "without a response")
        if self.status != OK:
            while len(self.body) < MAX_ERROR_BYTES and (part := await self.read(silence)):
                self.body += part

    async def read(self, silence: float) -> bytes:
        """Return the bytes that have arrived since the last call; no bytes at the end of the response.

        The bytes of the last call count as processed: the service may send as many more.

        Raises:
            RequestFailedError: the stream or its connection has ended, or nothing came for `silence` seconds.
        """
        if self._processed:
            self._connection.open_window(self._number, self._processed)
            self._processed = 0
        while not self._parts:
            if self._is_ended:
                return b""
            await self._wait(silence, "of silence")
        data, self._processed = b"".join(self._parts), self._size
        self._parts.clear()
        self._size = 0
        return data

    async def _wait(self, seconds: float, text: str) -> None:
        """Wait until something has arrived or happened."""
        if self._failure is not None:
            raise self._failure
        self._changed.clear()
        since = self._connection.received_at
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            if self._connection.received_at == since:  # for all streams alike: the connection is dead
                self._connection.abort()
            raise RequestFailedError(FailureKind.AMBIGUOUS, "TimeoutError", f"{seconds:g} s {text}") from None

    def close(self) -> None:
        """End the stream, if it has not ended."""
        self._connection.end_stream(self._number)

    # --- For the connection -----------------------------------------------------------------------

    def on_head(self, headers: Iterable[tuple[str, str]]) -> None:
        """Adopt the head of the response."""
        self.headers = dict(headers)
        self.status = int(self.headers[":status"])
        self._changed.set()

    def on_data(self, data: bytes, size: int) -> None:
        """Add bytes of the body; flow control counts `size`."""
        if data:  # a frame that only ends the stream has none
            self._parts.append(data)
        self._size += size
        self._changed.set()

    def on_end(self) -> None:
        """Note the end of the response."""
        self._is_ended = True
        self._changed.set()

    def fail(self, failure: RequestFailedError) -> None:
        """Raise `failure` after the bytes that have arrived."""
        self._failure = failure
        self._changed.set()


class SubscriptionConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport
        self._http2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._streams: dict[int, Http2Stream] = {}
        self._received = 0  # bytes of bodies since the connection's window was opened
        #: When bytes last arrived, by the loop's clock.
        self.received_at = 0.0
        #: Whether new streams may begin.
        self.is_open = False
        #: Done when the service has sent its settings, or failed to.
        self.settings: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()

    @property
    def has_room(self) -> bool:
        """Whether the service allows one more stream."""
        return self.is_open and self._http2.open_outbound_streams < self._http2.remote_settings.max_concurrent_streams

    def open_stream(self, headers: Sequence[tuple[str, str]], body: bytes) -> Http2Stream:
        """Send a request whose body is short, and return its stream."""
        number = self._http2.get_next_available_stream_id()
        self._http2.send_headers(number, headers)
        self._http2.send_data(number, body, end_stream=True)
        self._streams[number] = stream = Http2Stream(self, number)
        self._flush()
        return stream

    def open_window(self, number: int, size: int) -> None:
        """Let the service send `size` more bytes to a stream."""
        if number in self._streams and self.is_open:
            with contextlib.suppress(ProtocolError):  # it has ended
                self._http2.increment_flow_control_window(size, number)
            self._flush()

    def end_stream(self, number: int) -> None:
        """Reset a stream, if it has not ended."""
        if self._streams.pop(number, None) is not None and self.is_open:
            with contextlib.suppress(ProtocolError):  # it has ended
                self._http2.reset_stream(number, ErrorCodes.CANCEL)
            self._flush()

    def close(self) -> None:
        """End the connection and its streams."""
        if self.is_open:
            with contextlib.suppress(ProtocolError):
                self._http2.close_connection()
            self._flush()
        self._end("Closed", "the client was closed")
        self._transport.abort()  # a farewell over TLS would wait for the other side for up to 30 s

    def abort(self) -> None:
        """End a connection that is dead."""
        self._end("Disconnected", "the connection is dead: the service kept silent on all of its streams")
        self._transport.abort()

    # --- Callbacks of the event loop --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._http2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                SettingCodes.MAX_FRAME_SIZE: MAX_FRAME_BYTES,
            },
        )
        self._http2.max_inbound_frame_size = MAX_FRAME_BYTES
        self._http2.initiate_connection()
        self._http2.increment_flow_control_window(CONNECTION_WINDOW)
        self.is_open = True
        self._flush()

    def data_received(self, data: bytes) -> None:
        self.received_at = self._loop.time()
        try:
            for event in self._http2.receive_data(data):
                self._handle_event(event)
            if self._received >= CONNECTION_STEP and self.is_open:
                self._http2.increment_flow_control_window(self._received)
                self._received = 0
        except (ProtocolError, ValueError) as error:  # a ValueError is a header that is not UTF-8, or a status
            self._end("ProtocolError", f"the endpoint breaks the rules of HTTP/2, or does not speak it: {error}")
        self._flush()
        if not self.is_open:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(type(error).__name__ if error else "Disconnected", str(error or "the connection was closed"))
        self.lost.set_result(None)

    def _handle_event(self, event: Any) -> None:
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        match event:
            case DataReceived(data=data, flow_controlled_length=size):
                self._received += size
                if stream is not None:
                    stream.on_data(data, size)
            case ResponseReceived(headers=headers) if stream is not None:
                stream.on_head((str(name), str(value)) for name, value in headers)
            case StreamEnded() if stream is not None:
                stream.on_end()
            case StreamReset(error_code=code) if stream is not None:
                kind = FailureKind.NOT_SENT if code == ErrorCodes.REFUSED_STREAM else FailureKind.AMBIGUOUS
                stream.fail(RequestFailedError(kind, "StreamReset", f"the service has reset the stream: {code!r}"))
            case RemoteSettingsChanged() if not self.settings.done():
                self.settings.set_result(None)
            case ConnectionTerminated(error_code=code):
                # h2 accepts nothing after it, although a service may let the streams go on.
                self._end("Disconnected", f"the service ends the connection: {code!r}")
            case _:
                pass

    def _end(self, code: str, message: str) -> None:
        """Fail all streams, and begin no more."""
        self.is_open = False
        failure = RequestFailedError(FailureKind.AMBIGUOUS, code, message)
        if not self.settings.done():
            self.settings.set_exception(RequestFailedError(FailureKind.NOT_SENT, code, message))
            self.settings.exception()  # nobody may be waiting for it
        for stream in self._streams.values():
            stream.fail(failure)
        self._streams.clear()

    def _flush(self) -> None:
        if data := self._http2.data_to_send():
            self._transport.write(data)
