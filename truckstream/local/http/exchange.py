"""One request and its response, in the steps that a fault can replace."""

from __future__ import annotations

import asyncio
import base64
import os
import time
import uuid
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING

from aiohttp import web

from truckstream.local.faults.kinds.kind import RequestKind
from truckstream.local.http.limits.request_body import too_large
from truckstream.local.http.security.cors import cors_headers
from truckstream.local.http.subscription_push import push_events
from truckstream.local.protocol.api_call import MAX_BODY, ServiceResponse, carry_out, refuse, understand
from truckstream.local.protocol.signature import SignedRequest, check_age
from truckstream.local.service.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.local.faults.injector import RequestFaults
    from truckstream.local.faulty_service import FaultyService
    from truckstream.local.http.limits.request_body import RequestBody
    from truckstream.local.protocol.api_call import Call
    from truckstream.local.service.state.account import KinesisAccount

__all__ = ["Exchange", "headers_of"]


class Exchange:
    """A request on its way through the endpoint.

    Args:
        request: the request, whose head has been read.
        backend: the service that carries it out.
        faults: the faults that strike it.
        body: the body of the request.
    """

    def __init__(
        self, request: web.BaseRequest, backend: FaultyService, faults: RequestFaults, body: RequestBody
    ) -> None:
        self.request = request
        self._request_body = body
        self._backend = backend
        self._faults = faults
        self._body = b""

    async def serve(self) -> web.StreamResponse:
        """Serve the request: in the way of the fault that replaces the normal course, if there is one."""
        fault = self._faults.replacement
        if fault is not None and isinstance(fault.definition, RequestKind):
            return await fault.definition.serve(self, fault)
        await self.receive()
        return await self.send(self.respond())

    async def receive(self) -> None:
        """Read the whole body.

        Raises:
            RefusedError: the body breaks a limit, or is not encoded as it says.
        """
        await self._start_body()
        self._body = await self._request_body.read()

    async def receive_half(self) -> None:
        """Read and drop half of the body.

        Raises:
            RefusedError: the body breaks a limit, or is not encoded as it says.
        """
        await self._start_body()
        await self._request_body.skip((self.request.content_length or 0) // 2)

    def respond(self, instead: Callable[[Call, KinesisAccount], ServiceResponse] | None = None) -> ServiceResponse:
        """Carry out the request and return the response.

        The order is the service's: whether the request can be read, whether it is signed, and then the rest.

        Args:
            instead: makes the response of a request that can be read and is signed; then nothing is carried out.
        """
        backend, account = self._backend, self._backend.service.account
        now = backend.clock()
        backend.injector.change_stream(self._faults.stream_changes, account, backend.stream_name, now)
        call = understand(self.request.headers.get("X-Amz-Target", ""), self.request.content_type, self._body)
        if isinstance(call, ServiceResponse):
            return call
        try:
            self._check_signature()
        except RefusedError as error:
            return refuse(error, call.codec.content_type)
        if instead is not None:
            return instead(call, account)
        record_fault = backend.injector.on_records(call.operation, account.account_id, now)
        return carry_out(backend.service, call, now, record_fault)

    async def send(self, response: ServiceResponse) -> web.StreamResponse:
        """Send the response."""
        headers = await self._wait_and_make_headers(response)
        if response.events is not None:
            return await push_events(self.request, response.events, self._backend.clock, headers)
        return web.Response(status=response.status, body=response.body, headers=headers)

    async def send_half(self, response: ServiceResponse) -> web.StreamResponse:
        """Send the response's head and half of its body, and close the connection."""
        half = web.StreamResponse(status=response.status, headers=await self._wait_and_make_headers(response))
        half.content_length = max(len(response.body), 1)
        await half.prepare(self.request)
        await half.write(response.body[: len(response.body) // 2])
        if self.request.transport is not None:
            self.request.transport.close()
        return half

    async def _start_body(self) -> None:
        """Let the client send the body.

        aiohttp's low-level server leaves "100 Continue" to its handler, and curl waits a second for it.

        Raises:
            RefusedError: the body is too large.
        """
        if (self.request.content_length or 0) > MAX_BODY:
            raise too_large()
        if self.request.headers.get("Expect", "").lower() == "100-continue":
            with suppress(ConnectionError):  # the client has disconnected
                await self.request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.request.writer.output_size = 0  # aiohttp must not count this as a part of the response

    def _check_signature(self) -> None:
        skew = self._faults.clock_skew
        if self._backend.signatures is not None:
            self._backend.signatures.check(self._signed_request(), time.time() + skew)
        elif skew:
            check_age(self.request.headers.get("X-Amz-Date", ""), time.time() + skew)

    def _signed_request(self) -> SignedRequest:
        request = self.request
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            name = name.lower()  # noqa: PLW2901 - the case of a name has no meaning
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        url = request.rel_url
        return SignedRequest(request.method, url.raw_path, url.raw_query_string, headers, self._body)

    async def _wait_and_make_headers(self, response: ServiceResponse) -> dict[str, str]:
        if self._faults.delay:
            await asyncio.sleep(self._faults.delay)
        headers = headers_of(self.request, response)
        if self._faults.clock_skew:
            headers["Date"] = formatdate(time.time() + self._faults.clock_skew, usegmt=True)
        return headers


def headers_of(request: web.BaseRequest, response: ServiceResponse) -> dict[str, str]:
    """Return the headers of the response to a request."""
    return {
        "x-amzn-RequestId": str(uuid.uuid4()),
        "x-amz-id-2": base64.b64encode(os.urandom(72)).decode(),
        "Content-Type": response.content_type,
        **cors_headers(request.headers),
    }
