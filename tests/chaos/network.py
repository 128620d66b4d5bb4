"""A network between a producer and its service that goes silent, resets or is slow, at random by a seed."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import socket
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Self

#: The ways in which a connection through the proxy can end.
FATES = ("never answers CONNECT", "goes silent", "is reset", "lasts")


class Proxy:
    """An HTTP proxy whose tunnels fail at random.

    Args:
        seed: decides the fate of each connection, and after how many bytes it comes.
        share_of_faults: the share of connections that do not last.
    """

    def __init__(self, seed: int, share_of_faults: float = 0.6) -> None:
        self._dice = random.Random(f"proxy/{seed}")
        self._share_of_faults = share_of_faults
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        #: While this is True, every connection is silent.
        self.is_silent = False
        self.fates: Counter[str] = Counter()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._tracked, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tracked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        fails = self._dice.random() < self._share_of_faults
        fate = self._dice.choice(FATES[:-1]) if fails else FATES[-1]
        self.fates[fate] += 1
        if fate == "never answers CONNECT" or self.is_silent:
            await _until_closed(reader)
            return
        limit = math.inf if fate == "lasts" else self._dice.randrange(1_000, 30_000)
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            tunnel = _Tunnel(self, limit, resets=fate == "is reset")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(tunnel.pass_on(reader, far_writer))
                tasks.create_task(tunnel.pass_on(far_reader, writer))
        except* ConnectionError:
            pass
        finally:
            far_writer.transport.abort()


class _Tunnel:
    """A connection through the proxy, until its bytes in both directions reach a limit."""

    def __init__(self, proxy: Proxy, limit: float, *, resets: bool) -> None:
        self._proxy = proxy
        self._left = limit
        self._resets = resets

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1_000):
            self._left -= len(data)
            if self._left < 0 and self._resets:
                raise ConnectionResetError
            if self._left < 0 or self._proxy.is_silent:
                await _until_closed(reader)
                break
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError  # one end has closed: close the other


async def _until_closed(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


@contextlib.asynccontextmanager
async def slow_uplink(to_port: int, bytes_per_second: int) -> AsyncIterator[str]:
    """Run a forwarder that passes on requests slowly, on each connection, and responses at once; yield its URL."""
    loop = asyncio.get_running_loop()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # or the kernel takes a whole request at once
    listening.setblocking(False)
    tasks: set[asyncio.Task[None]] = set()

    async def accept() -> None:
        while True:
            near, _ = await loop.sock_accept(listening)
            task = loop.create_task(forward(near))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def forward(near: socket.socket) -> None:
        with near, socket.socket() as far:
            far.setblocking(False)
            await loop.sock_connect(far, ("127.0.0.1", to_port))
            with contextlib.suppress(ExceptionGroup):
                async with asyncio.TaskGroup() as both:
                    both.create_task(copy(near, far, bytes_per_second))
                    both.create_task(copy(far, near, math.inf))

    async def copy(source: socket.socket, sink: socket.socket, rate: float) -> None:
        while data := await loop.sock_recv(source, 2_000):
            await asyncio.sleep(len(data) / rate)
            await loop.sock_sendall(sink, data)
        raise ConnectionResetError

    accepting = loop.create_task(accept())
    tasks.add(accepting)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        listening.close()
