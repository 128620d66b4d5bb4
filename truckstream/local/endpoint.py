"""The HTTP endpoint: aiohttp before `protocol.respond`.

It is aiohttp's low-level server: one handler, no routes and no middleware, because the service has one address. A
request of 500 records is answered without a pause, so that requests are never interleaved and need no lock.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from truckstream.errors import TruckstreamError
from truckstream.local.protocol import CONTENT_TYPE, respond
from truckstream.local.service.refusal import RefusedError
from truckstream.local.stats import read_stats

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

    from truckstream.local.service import Service

__all__ = ["STATS_PATH", "Endpoint", "EndpointError"]

#: 10 MiB of records are 14 MB of base64, and 500 records with keys of 256 characters some more.
_MAX_BODY: Final = 16 * 1024 * 1024
#: Larger than most requests, so that a body of 350 kB comes in a few pieces.
_READ_BUFFER: Final = 512 * 1024

STATS_PATH: Final = "/_truckstream/stats"


class EndpointError(TruckstreamError):
    """The endpoint could not be opened: the port is taken, or the address is not this machine's."""


class Endpoint:
    """Serves a `Service` over HTTP.

    Args:
        service: who answers.
        clock: gives the time, in seconds since the epoch.
        host: the address to listen on.
        port: 0 takes a free one.
    """

    def __init__(self, service: Service, clock: Callable[[], float], host: str, port: int) -> None:
        self._service = service
        self._clock = clock
        self._host = host
        self._port = port
        server = web.Server(
            self._handle,
            request_factory=_make_request,
            access_log=None,
            read_bufsize=_READ_BUFFER,
            keepalive_timeout=75,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)

    async def open(self) -> str:
        """Listen; the endpoint's URL.

        Raises:
            EndpointError: the address cannot be listened on.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise EndpointError(f"cannot listen on {self._host} port {self._port}: {error}") from error
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening, and cut what is still connected."""
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == STATS_PATH:
            return self._stats(request)
        if request.method != "POST" or request.path != "/":
            return _answer(404, b'{"__type":"UnknownOperationException"}')
        if request.headers.get("Expect", "").lower() == "100-continue":
            await _continue(request)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _answer(413, b"")
        answer = respond(
            self._service,
            target=request.headers.get("X-Amz-Target", ""),
            content_type=request.content_type,
            body=body,
            now=self._clock(),
        )
        return _answer(answer.status, answer.body)

    def _stats(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            stats = read_stats(self._service, request.query.get("stream", ""), self._clock())
        except RefusedError as refusal:
            return _answer(404, msgspec.json.encode({"__type": refusal.code, "message": refusal.message}))
        return _answer(200, msgspec.json.encode(stats))


async def _continue(request: web.BaseRequest) -> None:
    """Ask for the body: the low-level server leaves that to its handler, and curl waits a second for it."""
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # nothing of the answer has been sent yet


def _answer(status: int, body: bytes) -> web.Response:
    headers = {"x-amzn-RequestId": str(uuid.uuid4()), "Content-Type": CONTENT_TYPE}
    return web.Response(status=status, body=body, headers=headers)


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    return web.BaseRequest(message, payload, protocol, writer, task, task.get_loop(), client_max_size=_MAX_BODY)
