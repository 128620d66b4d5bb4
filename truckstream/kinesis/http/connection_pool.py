"""Connections to the service that are kept, and requests over them.

A request through aiohttp costs 0.6 µs a record at 500 a request, over one of these 0.2, most of it the kernel's
(benchmarks/README.md); and aiohttp does not tell how much of a request has left. So where nothing but an address and a
TLS context is needed, requests go over connections of our own; those through a proxy go through aiohttp
(`proxied.py`).

What a failure means for the records follows from what has left. A request that was not handed to the kernel to its
last byte was not received whole, so nothing of it can be stored; afterwards it may be. A kept connection is looked at
before it is used: one that the service has closed while it was idle is dropped, and nothing was sent.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Any, Final

from aiohappyeyeballs import start_connection

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.http.http1 import MalformedResponseError, ResponseReader

if TYPE_CHECKING:
    from truckstream.kinesis.http.http1 import HttpResponse

__all__ = ["ConnectionPool"]

#: A connection that was idle for longer is not used again. Load balancers close theirs after 60 seconds or more.
KEEP_SECONDS: Final = 50.0

#: Seconds before another of a host's addresses is tried beside the first (RFC 8305).
NEXT_ADDRESS_SECONDS: Final = 0.25

#: The service has closed its end: told by the kernel without reading, so that it works beneath TLS too. Linux only;
#: elsewhere such a connection is noticed when its closing reaches the event loop.
PEER_CLOSED: Final = getattr(select, "POLLRDHUP", 0)

#: In Python 3.12.0 to 3.12.8 and 3.13.0 to 3.13.1 asyncio's `writelines` does not pause its protocol (CVE-2024-12254),
#: so that nobody would know what is unsent. `write` does, for a copy of the body: 0.05 µs a record.
_WRITELINES_PAUSES: Final = not ((3, 12) <= sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2))


class ConnectionPool:
    """Kept connections to one address.

    Args:
        host, port: the address.
        tls: the context for HTTPS, or None for HTTP.
        connect_timeout: seconds until a connection must be there, its TLS handshake included.
        response_timeout: seconds from the last byte of a request to the last of its answer, and for the kernel to take
            any more of a request.
    """

    def __init__(
        self, host: str, port: int, tls: ssl.SSLContext | None, *, connect_timeout: float, response_timeout: float
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._response_timeout = response_timeout
        self._loop = asyncio.get_running_loop()
        self._idle: list[_Connection] = []  # the last used at the end, which is used next

    async def post(self, head: bytes, body: bytes) -> HttpResponse:
        """Send a request, its head with the empty line, and read the answer, whatever its status.

        Raises:
            RequestFailedError: there is no answer, or not all of it.
        """
        connection = self._take() or await self._connect()
        answer = await connection.exchange(head, body, self._response_timeout)
        if connection.is_open:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
        return answer

    async def close(self) -> None:
        """Close the idle connections. Those in use close when their requests end or are cancelled."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()
        await asyncio.gather(*(connection.lost for connection in idle))

    def _take(self) -> _Connection | None:
        """An idle connection that is still open."""
        oldest = self._loop.time() - KEEP_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since >= oldest and not connection.is_closed_by_peer():
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        try:
            async with asyncio.timeout(self._connect_timeout):
                found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                connected = await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, loop=self._loop)
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                _, connection = await self._loop.create_connection(
                    lambda: _Connection(self._loop),
                    sock=connected,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
        except ssl.SSLCertVerificationError as error:
            raise RequestFailedError(FailureKind.PERMANENT, type(error).__name__, str(error)) from error
        except (OSError, TimeoutError) as error:
            text = f"{self._host}:{self._port}: {str(error) or 'no connection within the time allowed'}"
            raise RequestFailedError(FailureKind.NOT_SENT, type(error).__name__, text) from error
        return connection


class _Connection(asyncio.Protocol):
    """One connection, with at most one request on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: Any = None
        #: May be used for another request.
        self.is_open = False
        self.idle_since = 0.0
        self.lost: asyncio.Future[None] = loop.create_future()
        # The request under way. `_unsent` says whether the kernel has not taken all of it, and `_progress_at` when it
        # took some; `_left` is what was left then.
        self._reader = ResponseReader()
        self._answer: asyncio.Future[HttpResponse] | None = None
        self._unsent = False
        self._left = 0
        self._progress_at = 0.0
        self._timer: asyncio.TimerHandle

    async def exchange(self, head: bytes, body: bytes, response_timeout: float) -> HttpResponse:
        """Send one request and read its answer."""
        self._reader = ResponseReader()
        self._answer = self._loop.create_future()
        self._left, self._progress_at = len(body), self._loop.time()
        self._watch(response_timeout)
        if _WRITELINES_PAUSES:
            self._transport.writelines((head, body))
        else:
            self._transport.write(head + body)
        try:
            return await self._answer
        except BaseException:
            self.abort()  # half a request, or half an answer: nothing more can come of it
            raise
        finally:
            self._timer.cancel()
            self._answer = None

    def is_closed_by_peer(self) -> bool:
        """Whether the service has closed its end, even if the event loop has not heard of it."""
        connected = self._transport.get_extra_info("socket")
        if not PEER_CLOSED or connected is None:
            return False
        poll = select.poll()
        poll.register(connected.fileno(), PEER_CLOSED)
        return bool(poll.poll(0))

    def abort(self) -> None:
        """Close at once."""
        self.is_open = False
        self._transport.abort()

    # --- What the event loop tells ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.set_write_buffer_limits(high=0)  # so that a pause means that something is unsent
        self.is_open = True

    def pause_writing(self) -> None:
        self._unsent = True

    def resume_writing(self) -> None:
        self._unsent = False
        self._progress_at = self._loop.time()

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.abort()  # nothing was asked
            return
        try:
            answer = self._reader.feed(data)
        except MalformedResponseError as error:
            self._fail("MalformedResponse", str(error))
            return
        if answer is not None:
            # An answer that came before the end of the request leaves a connection that nobody can use.
            self.is_open = self._reader.keeps_alive and not self._unsent
            self._answer.set_result(answer)
            if not self.is_open:
                self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self.lost.set_result(None)
        if self._answer is None or self._answer.done():
            return
        answer = None if error else self._reader.feed_end()
        if answer is not None:
            self._answer.set_result(answer)
        else:
            self._fail(type(error).__name__ if error else "Disconnected", str(error or "the connection was closed"))

    def _watch(self, response_timeout: float) -> None:
        """Look again when the service, or the kernel, would have kept silent for too long."""
        self._timer = self._loop.call_at(self._progress_at + response_timeout, self._on_watch, response_timeout)

    def _on_watch(self, response_timeout: float) -> None:
        now = self._loop.time()
        if self._unsent and (left := self._transport.get_write_buffer_size()) < self._left:
            self._left, self._progress_at = left, now
        if now < self._progress_at + response_timeout:
            self._watch(response_timeout)
        else:
            when = "while the request was sent" if self._unsent else "after the request"
            self._fail("TimeoutError", f"{response_timeout:g} s of silence {when}")

    def _fail(self, code: str, message: str) -> None:
        if self._answer is not None and not self._answer.done():
            kind = FailureKind.NOT_SENT if self._unsent else FailureKind.AMBIGUOUS
            self._answer.set_exception(RequestFailedError(kind, code, message))
