"""Small servers: one that sends the responses of a script, and one that forwards like a proxy."""

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
    """A request as the server received it."""

    target: str
    headers: dict[str, str]
    body: bytes
    #: The number of its connection, from 1.
    connection: int

    @property
    def operation(self) -> str:
        return self.headers.get("x-amz-target", "").removeprefix("Kinesis_20131202.")

    @property
    def access_key(self) -> str:
        return self.headers["authorization"].split("Credential=", 1)[1].split("/", 1)[0]


def http_response(status: int = 200, body: bytes | dict[str, Any] = b"", **headers: object) -> bytes:
    """Return the bytes of a response."""
    body = json.dumps(body).encode() if isinstance(body, dict) else body
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Scripted\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def stored(received: Received) -> bytes:
    """Return the response to a PutRecords request whose records are all stored."""
    count = len(json.loads(received.body)["Records"])
    return http_response(body={"FailedRecordCount": 0, "Records": [STORED] * count})


def error_response(code: str, message: str = "", status: int = 400, **headers: object) -> bytes:
    return http_response(status, {"__type": code, "message": message}, **headers)


HANG_UP = object()


@dataclass
class Server:
    """Responds to each request with the next step of `script`, and after the last step with `stored`.

    A step is the bytes to send, `HANG_UP`, or a function that returns one of these for a received request.
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
            while (response := await self._respond(await _read(reader, number))) is not HANG_UP:
                writer.write(response)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _respond(self, received: Received) -> Any:
        self.received.append(received)
        step = self.script.pop(0) if self.script else stored
        response = step(received) if callable(step) else step
        return await response if asyncio.iscoroutine(response) else response


async def _read(reader: asyncio.StreamReader, connection: int) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(first.split(" ")[1], headers, body, connection)


@contextlib.asynccontextmanager
async def serving(*script: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run a `Server`, with TLS if `tls` is a server's SSL context."""
    server = Server(list(script))
    async with listening(server.serve, tls) as server.port:
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.port}"
        yield server


@contextlib.asynccontextmanager
async def proxying(to_port: int) -> AsyncIterator[tuple[str, list[list[str]]]]:
    """Run a proxy that connects every tunnel to `to_port`; yield its URL and the CONNECT requests that it receives."""
    connects = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connects.append((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n"))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to_port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}", connects


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
    """Run a server that calls `serve(reader, writer)` for each connection; yield its port."""
    tasks = set()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the test has ended; asyncio's streams log a cancelled task as an error
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


async def read_slowly(reader: asyncio.StreamReader) -> None:
    """Read a request in parts of up to 1 MiB, with a pause before each."""
    head = await reader.readuntil(b"\r\n\r\n")
    missing = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while missing:
        await asyncio.sleep(0.05)
        missing -= len(await reader.read(1 << 20))


def leaving_early(leave: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Return a handler for `listening` that reads 100,000 bytes of a request, and then resets or hangs."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(100_000)
        if leave == "hang":
            await asyncio.Event().wait()
        writer.transport.abort()

    return serve
