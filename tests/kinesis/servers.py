"""Servers of a few lines: one that answers as told, one that forwards as a proxy does, and certificates for both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

STORED = {"SequenceNumber": "49", "ShardId": "shardId-000000000000"}


@dataclass
class Received:
    """A request as the server saw it."""

    target: str
    headers: dict[str, str]
    body: bytes
    #: Which of its connections brought it, from 1.
    connection: int

    @property
    def operation(self) -> str:
        return self.headers.get("x-amz-target", "").removeprefix("Kinesis_20131202.")

    @property
    def access_key(self) -> str:
        return self.headers["authorization"].split("Credential=", 1)[1].split("/", 1)[0]


def answer(status: int = 200, body: bytes | dict[str, Any] = b"", **headers: object) -> bytes:
    """An answer's bytes."""
    body = json.dumps(body).encode() if isinstance(body, dict) else body
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Told\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def stored(received: Received) -> bytes:
    """What the service says to a PutRecords that it stores."""
    count = len(json.loads(received.body)["Records"])
    return answer(body={"FailedRecordCount": 0, "Records": [STORED] * count})


def refused(code: str, message: str = "", status: int = 400, **headers: object) -> bytes:
    return answer(status, {"__type": code, "message": message}, **headers)


HANG_UP = object()


@dataclass
class Server:
    """Answers each request by the next step of `script`, and when that is used up by `stored`.

    A step is the bytes to answer, `HANG_UP`, or a function of what was received that gives one of these.
    """

    script: list[Any] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while (given := await self._answer_to(await _read(reader, number))) is not HANG_UP:
                writer.write(given)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _answer_to(self, received: Received) -> Any:
        self.received.append(received)
        step = self.script.pop(0) if self.script else stored
        given = step(received) if callable(step) else step
        return await given if asyncio.iscoroutine(given) else given


async def _read(reader: asyncio.StreamReader, connection: int) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(first.split(" ")[1], headers, body, connection)


@contextlib.asynccontextmanager
async def serving(*script: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A `Server` that listens, with TLS if a server's SSL context is given."""
    server = Server(list(script))
    async with listening(server.serve, tls) as server.port:
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.port}"
        yield server


@contextlib.asynccontextmanager
async def proxying(to_port: int) -> AsyncIterator[tuple[str, list[list[str]]]]:
    """A proxy that connects every tunnel to `to_port`; its URL, and the CONNECT requests that it got."""
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n"))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to_port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}", asked


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
    limit: int = 65_536,
) -> AsyncIterator[int]:
    """A server of `serve(reader, writer)`; its port."""
    tasks = set()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the test has ended; streams want no cancelled task
        finally:
            writer.transport.abort()
            tasks.discard(asyncio.current_task())

    server = await asyncio.start_server(tracked, "127.0.0.1", 0, ssl=tls, limit=limit)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
