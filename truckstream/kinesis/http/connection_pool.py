"""Kept connections to the service, which know whether a failed request had been sent to its last byte.

This and `http1.py` are an HTTP client of our own for one reason: to report duplicates truthfully. When a request fails,
the producer must know whether its records may be stored. If the kernel has not taken the request's last byte, the
service cannot have received the request whole, so nothing is stored and a retry makes no duplicate. If it has taken it,
the records may be stored, and each Ack of the retry must set `maybe_duplicate`.

aiohttp cannot answer that question. An example, with aiohttp 3.14.5: a server resets the connection after 100,000 bytes
of a request of 9 MiB, or after all of it. Both times `session.post()` raises `ClientOSError: [Errno 104] Connection
reset by peer`, and there is no public count of the bytes that have left. So 500 records that cannot be stored would be
reported as possible duplicates. The same happens when the service closes a kept connection while it is idle: aiohttp
writes the request to it. Here a kept connection is checked first, and a closed one is dropped before anything is sent.

Speed comes with it: at 500 records a request, a record costs 0.2 µs here and 0.6 through aiohttp, most of the 0.2 in
the kernel (benchmarks/README.md). Requests that need a proxy still go through aiohttp (`aiohttp_transport.py`).
"""

from __future__ import annotations

import asyncio
import select
import sys
from typing import TYPE_CHECKING, Any, Final

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.http.body_buffers import BodyBuffers
from truckstream.kinesis.http.connecting import connected_socket
from truckstream.kinesis.http.http1 import MAX_BODY_BYTES, MalformedResponseError, ResponseReader

if TYPE_CHECKING:
    import ssl

    from truckstream.kinesis.attempt import Attempt
    from truckstream.kinesis.http.http1 import HttpResponse
    from truckstream.kinesis.outgoing_body import OutgoingBody

__all__ = ["ConnectionPool"]

#: A connection that has been idle for longer is not used again. Load balancers close theirs after 60 seconds or more.
KEEP_SECONDS: Final = 50.0

#: So many bytes of a response renew the time for it: a response to GetRecords of 14 MB may take longer than the
#: default of 10 s over a slow line, and one that drips may not.
STEP_BYTES: Final = 256 * 1024

#: Room for a response, or for the beginning of a large one.
RECEIVE_BYTES: Final = 16 * 1024

#: The event of `poll` for "the service has closed its end". It needs no reading, so it works beneath TLS too. Linux
#: only; elsewhere such a connection is noticed once the event loop processes its closing.
PEER_CLOSED: Final = getattr(select, "POLLRDHUP", 0)

#: In Python 3.12.0 to 3.12.8 and 3.13.0 to 3.13.1 asyncio's `writelines` does not pause its protocol (CVE-2024-12254),
#: so an unsent rest would go unnoticed. `write` pauses it, at the cost of a copy of the body: 0.05 µs a record.
_WRITELINES_PAUSES: Final = not ((3, 12) <= sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2))


class ConnectionPool:
    """Kept connections to one address.

    Args:
        host, port: the address.
        tls: the context for HTTPS, or None for HTTP.
        connect_timeout: seconds to establish a connection, its TLS handshake included.
        response_timeout: seconds from the last byte of a request to the last byte of its response, and seconds in which
            the kernel must take some more of an unsent request. So a slow uplink may take its time, and a response may
            not, except that each `STEP_BYTES` of a large response renew the time; the caller bounds the whole by
            cancelling `post`.
        buffers: large bodies are put into these.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        connect_timeout: float,
        response_timeout: float,
        buffers: BodyBuffers | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._response_timeout = response_timeout
        self._loop = asyncio.get_running_loop()
        self._buffers = buffers or BodyBuffers()
        self._idle: list[_Connection] = []  # the most recently used connection is last, and is used next

    async def post(
        self, head: bytes, body: OutgoingBody, attempt: Attempt, max_body_bytes: int = MAX_BODY_BYTES
    ) -> HttpResponse:
        """Send a request and return the response of any status. `head` ends with the empty line.

        `attempt` is told of the progress. A response with a body of over `max_body_bytes` is malformed.

        Raises:
            RequestFailedError: there was no response, or it was incomplete; or the attempt was withdrawn.
        """
        connection = self._take() or await self._connect()
        try:
            attempt.begin()  # or it was withdrawn, and the connection is kept for the next request
            return await connection.exchange(head, body, attempt, self._response_timeout, max_body_bytes)
        finally:
            if connection.is_open:
                connection.idle_since = self._loop.time()
                self._idle.append(connection)

    async def close(self) -> None:
        """Close the idle connections. Connections in use close when their requests end or are cancelled."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()
        await asyncio.gather(*(connection.lost for connection in idle))

    def _take(self) -> _Connection | None:
        """Return an idle connection that is still open, if there is one."""
        oldest = self._loop.time() - KEEP_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since >= oldest and not connection.is_closed_by_peer():
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        async with connected_socket(self._host, self._port, self._connect_timeout) as connected:
            _, connection = await self._loop.create_connection(
                lambda: _Connection(self._loop, self._buffers), sock=connected
            )
            if self._tls:
                await connection.start_tls(self._tls, self._host)
        return connection


class _Connection(asyncio.BufferedProtocol):
    """One connection, with at most one request at a time.

    A large body is received in its place. As an `asyncio.Protocol` its bytes would be copied twice more: 0.3 µs for
    each record of a page of GetRecords.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, buffers: BodyBuffers) -> None:
        self._loop = loop
        self._buffers = buffers
        # The socket's transport, and the one to write to: the same, or that of TLS.
        self._socket: Any = None
        self._transport: Any = None
        #: Whether the connection may be used for another request.
        self.is_open = False
        self.idle_since = 0.0
        self.lost: asyncio.Future[None] = loop.create_future()
        # The request in flight. `_paused` counts the transports that hold some of it back from the kernel.
        # `_progress_at` is when the kernel last took some, and `_left` the bytes that were left then.
        self._reader = ResponseReader()
        self._complete: asyncio.Future[None] | None = None
        self._paused = 0
        self._left = 0
        self._progress_at = 0.0
        # The length of the response's body that counts as progress.
        self._next_step = STEP_BYTES
        self._timer: asyncio.TimerHandle
        # Where the loop puts the bytes that come: into the body, or in here.
        self._received = memoryview(bytearray(RECEIVE_BYTES))
        self._is_in_room = False

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Encrypt the connection."""
        self._transport = await self._loop.start_tls(self._socket, self, context, server_hostname=host)
        # A socket's transport pauses above its limit, but TLS's at its limit: 0 would pause it even when it is empty.
        # It passes all that it has to the socket's transport at once, so the unsent part of a request waits there.
        self._transport.set_write_buffer_limits(high=1, low=0)
        self._socket.set_protocol(_PauseRelay(self._socket.get_protocol(), self))
        self._paused = int(self._unsent_bytes() > 0)

    @property
    def _unsent(self) -> bool:
        """Whether the kernel has not taken all of the request."""
        return self._paused > 0

    def _unsent_bytes(self) -> int:
        size: int = self._socket.get_write_buffer_size()
        return size if self._transport is self._socket else size + self._transport.get_write_buffer_size()

    async def exchange(
        self, head: bytes, body: OutgoingBody, attempt: Attempt, response_timeout: float, max_body_bytes: int
    ) -> HttpResponse:
        """Send one request and return its response."""
        self._reader = ResponseReader(max_body_bytes, self._buffers)
        self._complete = self._loop.create_future()
        if _WRITELINES_PAUSES:
            self._transport.writelines((head, body.content))
        else:
            self._transport.write(head + body.content)
        body.let_go()  # the kernel has it, or else the transport
        self._left, self._progress_at = self._unsent_bytes(), self._loop.time()
        self._next_step = STEP_BYTES
        self._watch(response_timeout)
        try:
            await self._complete
            return self._reader.response()  # here, because the loop holds the body's buffer until its callback returns
        except BaseException:
            if not self._unsent:
                attempt.finish()
            self.abort()  # after half a request or half a response, the connection cannot be used again
            raise
        finally:
            self._timer.cancel()
            self._complete = None

    def is_closed_by_peer(self) -> bool:
        """Return whether the service has closed its end, even if the event loop has not processed that yet."""
        connected = self._socket.get_extra_info("socket")
        if not PEER_CLOSED or connected is None:
            return False
        poll = select.poll()
        poll.register(connected.fileno(), PEER_CLOSED)
        return bool(poll.poll(0))

    def abort(self) -> None:
        """Close at once."""
        self.is_open = False
        self._transport.abort()

    # --- Callbacks of the event loop --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = self._transport = transport
        self._socket.set_write_buffer_limits(high=0)  # so a pause means that something is unsent
        self.is_open = True

    def pause_writing(self) -> None:
        self._paused += 1

    def resume_writing(self) -> None:
        self._paused -= 1
        self._progress_at = self._loop.time()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - all of the room may be used
        room = self._reader.room if self._is_waiting else None
        self._is_in_room = room is not None
        return self._received if room is None else room

    def buffer_updated(self, nbytes: int) -> None:
        if not self._is_waiting:
            self.abort()  # bytes that belong to no request
            return
        reader = self._reader
        try:
            is_complete = reader.received(nbytes) if self._is_in_room else reader.feed(bytes(self._received[:nbytes]))
        except MalformedResponseError as error:
            self._fail("MalformedResponse", str(error))
            return
        if reader.body_bytes >= self._next_step:
            self._progress_at = self._loop.time()
            self._next_step = reader.body_bytes + STEP_BYTES
        if is_complete:
            # After a response that came before the end of its request, the connection cannot be used again.
            self.is_open = reader.keeps_alive and not self._unsent
            self._succeed()
            if not self.is_open:
                self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self.lost.set_result(None)
        if not self._is_waiting:
            return
        if error is None and self._reader.feed_end():
            self._succeed()
        else:
            self._fail(type(error).__name__ if error else "Disconnected", str(error or "the connection was closed"))

    def _watch(self, response_timeout: float) -> None:
        """Check again once the service, or the kernel, will have kept silent for too long."""
        self._timer = self._loop.call_at(self._progress_at + response_timeout, self._check_silence, response_timeout)

    def _check_silence(self, response_timeout: float) -> None:
        now = self._loop.time()
        if self._unsent and (left := self._unsent_bytes()) < self._left:
            self._left, self._progress_at = left, now
        if now < self._progress_at + response_timeout:
            self._watch(response_timeout)
        else:
            when = "while the request was being sent" if self._unsent else "after the request"
            self._fail("TimeoutError", f"{response_timeout:g} s of silence {when}")

    @property
    def _is_waiting(self) -> bool:
        """Whether a request waits for its response."""
        return self._complete is not None and not self._complete.done()

    def _succeed(self) -> None:
        if self._complete is not None:
            self._complete.set_result(None)

    def _fail(self, code: str, message: str) -> None:
        if self._complete is not None and not self._complete.done():
            kind = FailureKind.NOT_SENT if self._unsent else FailureKind.AMBIGUOUS
            self._complete.set_exception(RequestFailedError(kind, code, message))


class _PauseRelay(asyncio.BufferedProtocol):
    """A protocol between a socket's transport and TLS that reports the transport's pauses to the connection too.

    Without it, only TLS would know that the kernel has not taken all of a request.
    """

    def __init__(self, tls: Any, connection: _Connection) -> None:
        self._tls = tls
        self._connection = connection

    def get_buffer(self, sizehint: int) -> Any:
        return self._tls.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self._tls.buffer_updated(nbytes)

    def eof_received(self) -> Any:
        return self._tls.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self._tls.connection_lost(error)

    def pause_writing(self) -> None:
        self._connection.pause_writing()
        self._tls.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()
        self._tls.resume_writing()
