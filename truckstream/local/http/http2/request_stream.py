"""A request over HTTP/2 on its way to the endpoint, in HTTP/1.1 over a connection within this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.local.http.http2.http1_messages import request_head
from truckstream.local.http.http2.memory_transport import MemoryConnection

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["RequestStream"]


class RequestStream:
    """A request, from its head on, and the task that forwards it."""

    task: asyncio.Task[None]

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        self._is_chunked = not any(name == "content-length" for name, _ in headers)
        self._connection: MemoryConnection | None = None
        #: Bytes that arrived before the connection was opened.
        self._waiting = [request_head(headers, is_chunked=self._is_chunked)]
        #: Whether the whole request has arrived.
        self.is_ended = False
        #: Bytes of the body that the client may not replace by new ones yet.
        self.unacknowledged = 0

    @property
    def is_paused(self) -> bool:
        """Whether the endpoint asks to wait with more of the body."""
        return self._connection is not None and self._connection.is_paused

    def open(self, endpoint: asyncio.Protocol, on_resume: Callable[[], None]) -> asyncio.StreamReader:
        """Forward what has arrived, and from now on what arrives. Return the response."""
        self._connection = MemoryConnection(endpoint, on_resume)
        for data in self._waiting:
            self._connection.send(data)
        self._waiting.clear()
        return self._connection.response

    def add(self, piece: bytes) -> None:
        """Add a piece of the body."""
        if piece:  # an empty chunk would be the last one
            self._send(b"%x\r\n%b\r\n" % (len(piece), piece) if self._is_chunked else piece)

    def end_body(self) -> None:
        """Note that the whole request has arrived."""
        self.is_ended = True
        if self._is_chunked:
            self._send(b"0\r\n\r\n")

    def close(self) -> None:
        """Disconnect from the endpoint, which cancels a request that has no response yet."""
        self._waiting.clear()
        if self._connection is not None:
            self._connection.close()

    def _send(self, data: bytes) -> None:
        if self._connection is None:
            self._waiting.append(data)
        else:
            self._connection.send(data)
