"""A connection within this process: HTTP/1.1 of one request, without sockets.

A pair of sockets for each request would take two open files, and could fail for lack of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MemoryConnection"]

#: Bytes of a response that wait to be read. When there are twice as many, the server is paused.
_BUFFER: Final = 64 * 1024


class MemoryConnection:
    """The client's end of a connection to a protocol.

    Args:
        protocol: the server's end.
        on_resume: called when the server can take more again, after `is_paused`.
    """

    def __init__(self, protocol: asyncio.Protocol, on_resume: Callable[[], None]) -> None:
        self.response = asyncio.StreamReader(limit=_BUFFER)
        self._server = _ServerTransport(protocol, self.response, on_resume)
        self.response.set_transport(_ResponseFlow(protocol))
        protocol.connection_made(self._server)

    @property
    def is_paused(self) -> bool:
        """Whether the server asks to wait with more of the request."""
        return not self._server.is_reading()

    def send(self, data: bytes) -> None:
        """Send bytes of the request."""
        self._server.receive(data)

    def close(self) -> None:
        """Disconnect, which cancels a request that has no response yet."""
        self._server.disconnect(ConnectionResetError("the client has disconnected"))


class _ServerTransport(asyncio.Transport):
    """The transport of the server's protocol."""

    def __init__(
        self, protocol: asyncio.Protocol, response: asyncio.StreamReader, on_resume: Callable[[], None]
    ) -> None:
        super().__init__()
        self._protocol = protocol
        self._response = response
        self._on_resume = on_resume
        self._is_reading = True
        self._is_closing = False

    def receive(self, data: bytes) -> None:
        if not self._is_closing:
            self._protocol.data_received(data)

    def disconnect(self, error: Exception | None) -> None:
        """End both directions."""
        if self._is_closing:
            return
        self._is_closing = True
        if error is None:
            self._response.feed_eof()
        else:
            self._response.set_exception(error)
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, error)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._is_closing:
            self._response.feed_data(data)

    def close(self) -> None:
        self.disconnect(None)

    def abort(self) -> None:
        self.disconnect(ConnectionResetError("the server has reset the connection"))

    def is_closing(self) -> bool:
        return self._is_closing

    def is_reading(self) -> bool:
        return self._is_reading

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        self._on_resume()

    def get_write_buffer_size(self) -> int:
        return 0


class _ResponseFlow(asyncio.ReadTransport):
    """Pauses the server while its response is not read."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._protocol = protocol

    def pause_reading(self) -> None:
        self._protocol.pause_writing()

    def resume_reading(self) -> None:
        self._protocol.resume_writing()
