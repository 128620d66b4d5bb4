"""The HTTP endpoint of a local Kinesis.

It is aiohttp's low-level server: one handler, no routes and no middleware, because the service has one path. A request
of 500 records is carried out without an await, so that requests never interleave and need no lock.

Paths under `/_truckstream/` are for tests and not for clients: see `control`.
"""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING, Final

from aiohttp import web

from truckstream.errors import TruckstreamError
from truckstream.local.http.control import Control
from truckstream.local.http.exchange import Exchange, headers_of
from truckstream.local.http.limits.memory_budget import MemoryBudget
from truckstream.local.http.limits.request_body import RequestBody
from truckstream.local.http.limits.server_limits import ServerLimits, limits_for
from truckstream.local.http.security.allowed_hosts import AllowedHosts
from truckstream.local.http.security.certificate import make_certificate
from truckstream.local.http.security.cors import cors_headers, is_preflight, preflight_headers
from truckstream.local.http.server import Http1And2Server
from truckstream.local.protocol.api_call import ServiceResponse, no_post, operation_of, refuse
from truckstream.local.service.errors import RefusedError

if TYPE_CHECKING:
    from truckstream.local.faulty_service import FaultyService
    from truckstream.local.options import Options

__all__ = ["Endpoint", "EndpointError"]

#: Larger than most requests, so that a body of 350 kB arrives in a few pieces.
_READ_BUFFER: Final = 512 * 1024
#: How long the rest of a request is read and dropped after its response, so that the client reads the response. The
#: rest can be a gzip bomb, which keeps the process busy.
_LINGERING_SECONDS: Final = 1.0


class EndpointError(TruckstreamError):
    """The endpoint cannot be opened: the port is taken, or the address is not one of this machine."""


class Endpoint:
    """Serves a `FaultyService` over HTTP, or over HTTPS with the option `tls`.

    Args:
        backend: the service.
        options: where and how to serve it.
        limits: the limits of its clients; by default those for the number of files that this process may open.
    """

    def __init__(self, backend: FaultyService, options: Options, limits: ServerLimits | None = None) -> None:
        limits = limits or limits_for(_open_files())
        self._backend = backend
        self._host = options.host
        self._port = options.port
        self._allowed_hosts = AllowedHosts(options.host, options.allowed_hosts)
        self._control = Control(backend)
        certificate = make_certificate(options.host) if options.tls else None
        self._scheme = "https" if options.tls else "http"
        #: The certificate authority that clients must trust, as PEM; empty without TLS.
        self.ca_pem = certificate.ca_pem if certificate else ""
        self._limits = limits
        self._bodies = MemoryBudget(limits.connection_body_bytes, limits.body_bytes)
        self._server = Http1And2Server(
            self._handle,
            limits,
            certificate.context if certificate else None,
            access_log=None,
            read_bufsize=_READ_BUFFER,
            lingering_time=_LINGERING_SECONDS,
            handler_cancellation=True,  # a stalled request ends when its client disconnects
        )

    async def open(self) -> str:
        """Listen, and return the endpoint's URL.

        Raises:
            EndpointError: it cannot listen on the address.
        """
        try:
            port = await self._server.listen(self._host, self._port)
        except OSError as error:
            raise EndpointError(f"cannot listen on {self._host} port {self._port}: {error}") from error
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{port}"

    async def close(self) -> None:
        """Stop listening, and close the connections that are still open."""
        await self._server.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            self._allowed_hosts.check(_hosts(request), request.headers.getall("Origin", ()))
        except RefusedError as refusal:
            return _plain_response(refuse(refusal, request.content_type)._replace(status=403))
        if is_preflight(request.method, request.headers):
            return web.Response(headers={"x-amzn-RequestId": str(uuid.uuid4()), **preflight_headers(request.headers)})
        if self._control.owns(request.path):
            with RequestBody(request, self._bodies, self._limits.body_seconds) as body:
                response = await self._control.respond(request, body)
            response.headers.update(cors_headers(request.headers))
            return response
        if request.method == "POST":
            return await self._serve(request)
        return _response(request, no_post())

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve a request of the API."""
        operation = operation_of(request.headers.get("X-Amz-Target", ""))
        faults = self._backend.injector.on_request(operation, self._backend.clock())
        try:
            with RequestBody(request, self._bodies, self._limits.body_seconds) as body:
                return await Exchange(request, self._backend, faults, body).serve()
        except RefusedError as refusal:
            return _response(request, refuse(refusal, request.content_type))


def _hosts(request: web.BaseRequest) -> list[str]:
    """Return the names that a request calls the server by: in its `Host` headers, and in its target if that has one."""
    named = request.headers.getall("Host", [""])
    target = request.host  # that of the URL; otherwise the first header
    return [*named, f"[{target}]" if target.count(":") > 1 and target[0] != "[" else target]


def _response(request: web.BaseRequest, response: ServiceResponse) -> web.Response:
    return web.Response(status=response.status, body=response.body, headers=headers_of(request, response))


def _plain_response(response: ServiceResponse) -> web.Response:
    """Return a response without CORS headers, which the page that sent the request cannot read."""
    return web.Response(status=response.status, body=response.body, content_type=response.content_type)


def _open_files() -> int:
    """Return how many files this process may open."""
    try:
        import resource  # noqa: PLC0415 - Windows has no such limit, and no such module
    except ModuleNotFoundError:
        return sys.maxsize
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
