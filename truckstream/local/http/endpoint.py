"""The HTTP endpoint: aiohttp before `protocol.respond`, and the faults between them.

It is aiohttp's low-level server: one handler, no routes and no middleware, because the service has one address. A
request of 500 records is answered without a pause, so that requests are never interleaved and need no lock.

Paths under `/_truckstream/` are the test's, not the client's: see `control`.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
import uuid
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from aiohttp import web

from truckstream.errors import TruckstreamError
from truckstream.local.faults import wire
from truckstream.local.faults.effects import answer_instead, error_of, happen, record_striker
from truckstream.local.http.control import Control
from truckstream.local.http.cors import is_preflight, of_answer, of_preflight
from truckstream.local.http.http2 import AnyHttp
from truckstream.local.http.subscription_push import push
from truckstream.local.protocol.protocol import (
    MAX_BODY,
    Call,
    ServiceResponse,
    carry_out,
    no_post,
    operation_of,
    refuse,
    understand,
)
from truckstream.local.protocol.signature import SignedRequest, check_age
from truckstream.local.service.errors import RefusedError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

    from truckstream.local.faults.injector import FaultInjector, Strike
    from truckstream.local.protocol.signature import SignatureCheck
    from truckstream.local.service import Service

__all__ = ["Endpoint", "EndpointError"]

#: Larger than most requests, so that a body of 350 kB comes in a few pieces.
_READ_BUFFER: Final = 512 * 1024


class EndpointError(TruckstreamError):
    """The endpoint could not be opened: the port is taken, or the address is not this machine's."""


class Endpoint:
    """Serves a `Service` over HTTP.

    Args:
        service: who answers.
        injector: what goes wrong.
        stream_name: the stream that faults happen to.
        clock: gives the time, in seconds since the epoch.
        host: the address to listen on.
        port: 0 takes a free one.
        signatures: looks at each request's signature; None lets all pass.
        tls: serves HTTPS with it; None serves HTTP.
    """

    def __init__(
        self,
        service: Service,
        injector: FaultInjector,
        stream_name: str,
        clock: Callable[[], float],
        host: str,
        port: int,
        *,
        signatures: SignatureCheck | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._service = service
        self._injector = injector
        self._stream_name = stream_name
        self._clock = clock
        self._host = host
        self._port = port
        self._signatures = signatures
        self._control = Control(service, injector, stream_name, clock)
        self._tls = tls
        server = AnyHttp(
            self._handle,
            request_factory=_make_request,
            access_log=None,
            read_bufsize=_READ_BUFFER,
            keepalive_timeout=75,
            handler_cancellation=True,  # a stalled request ends when its client has gone
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)

    async def open(self) -> str:
        """Listen; the endpoint's URL.

        Raises:
            EndpointError: the address cannot be listened on.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise EndpointError(f"cannot listen on {self._host} port {self._port}: {error}") from error
        host = f"[{self._host}]" if ":" in self._host else self._host
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening, and cut what is still connected."""
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._control.owns(request.path):
            return await self._control.answer(request)
        if request.method != "POST":
            return _no_post(request)
        operation = operation_of(request.headers.get("X-Amz-Target", ""))
        strike = self._injector.on_request(operation, self._clock())
        try:
            return await self._serve(request, strike)
        except web.HTTPRequestEntityTooLarge:
            too_large = RefusedError("RequestEntityTooLarge", f"The body of a request has at most {MAX_BODY} bytes.")
            return _response(request, refuse(too_large, request.content_type))
        except web.RequestPayloadError:
            encoding = request.headers.get("Content-Encoding", "")
            unreadable = RefusedError(
                "SerializationException", f"The body is not {encoding}, as Content-Encoding says."
            )
            return _response(request, refuse(unreadable, request.content_type))

    async def _serve(self, request: web.BaseRequest, strike: Strike) -> web.StreamResponse:
        """The course of a request: received, carried out, answered. A fault ends it in one of the three."""
        body = await _receive(request, strike)
        if body is None:
            return wire.reset(request)
        self._let_happen(strike)
        return await _send(request, self._answer(request, strike, body), strike, self._clock)

    def _answer(self, request: web.BaseRequest, strike: Strike, body: bytes) -> ServiceResponse:
        """In the service's order: can it be read, is it signed, is it carried out. A fault may come before the last."""
        call = understand(request.headers.get("X-Amz-Target", ""), request.content_type, body)
        if isinstance(call, ServiceResponse):
            return call
        return self._refusal(request, call, strike, body) or self._carry_out(call)

    def _let_happen(self, strike: Strike) -> None:
        for active in strike.events:
            if happen(active.fault, active.random, self._service.account, self._stream_name, self._clock()):
                self._injector.count(active)

    def _refusal(self, request: web.BaseRequest, call: Call, strike: Strike, body: bytes) -> ServiceResponse | None:
        """What keeps the request from being carried out: its signature, or a fault."""
        content_type = call.codec.content_type
        try:
            if self._signatures is not None:
                self._signatures.check(_as_signed(request, body), time.time() + strike.skew)
            elif strike.skew:
                check_age(request.headers.get("X-Amz-Date", ""), time.time() + strike.skew)
        except RefusedError as refusal:
            return refuse(refusal, content_type)
        if strike.ending is None:
            return None
        return answer_instead(strike.ending, call.operation, self._service.account, call.stream_name, content_type)

    def _carry_out(self, call: Call) -> ServiceResponse:
        account, now = self._service.account, self._clock()
        if not self._injector.strikes_records:
            return carry_out(self._service, call, now)
        return carry_out(
            self._service, call, now, record_striker(self._injector, call.operation, account.account_id, now)
        )


async def _receive(request: web.BaseRequest, strike: Strike) -> bytes | None:
    """The request's body; None when the connection is to be reset."""
    if strike.kind == "reset-before":
        return None
    if (request.content_length or 0) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, request.content_length or 0)
    if request.headers.get("Expect", "").lower() == "100-continue":
        await _continue(request)
    if strike.kind == "reset-request":
        await wire.read_half(request)
        return None
    body = await request.read()
    if strike.kind == "stall":
        await wire.hang()
    return body


async def _send(
    request: web.BaseRequest, answer: ServiceResponse, strike: Strike, clock: Callable[[], float]
) -> web.StreamResponse:
    if strike.kind == "reset-after":
        return wire.reset(request)
    if strike.kind == "stall-after":
        await wire.hang()
    if strike.delay:
        await asyncio.sleep(strike.delay)
    if strike.ending is not None and strike.kind == "error-after":
        answer = error_of(strike.ending, request.content_type)
    headers = _headers(request, answer, strike.skew)
    if strike.kind == "reset-answer":
        return await wire.answer_half(request, answer, headers)
    if answer.events is not None:
        return await push(request, answer.events, clock, headers)
    return web.Response(status=answer.status, body=answer.body, headers=headers)


async def _continue(request: web.BaseRequest) -> None:
    """Ask for the body: the low-level server leaves that to its handler, and curl waits a second for it."""
    with suppress(ConnectionError):  # a client that has gone already
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # nothing of the answer has been sent yet


def _as_signed(request: web.BaseRequest, body: bytes) -> SignedRequest:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        name = name.lower()  # noqa: PLW2901 - names have no case
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return SignedRequest(request.method, request.rel_url.raw_path, request.rel_url.raw_query_string, headers, body)


def _no_post(request: web.BaseRequest) -> web.Response:
    if is_preflight(request.method, request.headers):
        return web.Response(headers={"x-amzn-RequestId": str(uuid.uuid4()), **of_preflight(request.headers)})
    return _response(request, no_post())


def _response(request: web.BaseRequest, answer: ServiceResponse) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=_headers(request, answer))


def _headers(request: web.BaseRequest, answer: ServiceResponse, skew: float = 0.0) -> dict[str, str]:
    headers = {
        "x-amzn-RequestId": str(uuid.uuid4()),
        "x-amz-id-2": base64.b64encode(os.urandom(72)).decode(),
        "Content-Type": answer.content_type,
        **of_answer(request.headers),
    }
    if skew:
        headers["Date"] = formatdate(time.time() + skew, usegmt=True)
    return headers


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    return web.BaseRequest(message, payload, protocol, writer, task, task.get_loop(), client_max_size=MAX_BODY)
