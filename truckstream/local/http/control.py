"""The paths that a test requests beside the API. No fault strikes them, and no quota or signature is checked.

A body must be declared as JSON. A browser sends such a request of another page only after it has asked the server, so
that the check of its `Origin` is not the only one.

| path | purpose |
|---|---|
| `GET /_truckstream/stats?stream=` | `KinesisStats`, as JSON |
| `GET`, `POST`, `DELETE /_truckstream/faults` | show the faults; add one or a list of them; remove all |
| `POST /_truckstream/call?operation=` | carry out an operation of the API |
| `GET /_truckstream/stored?stream=&shard=&place=` | a `StoredPage`, as MessagePack, because it has bytes |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from truckstream.local.faults.fault import Fault
from truckstream.local.protocol.api_call import CONTENT_TYPE, respond
from truckstream.local.service.errors import RefusedError

if TYPE_CHECKING:
    from truckstream.local.faulty_service import FaultyService
    from truckstream.local.http.limits.request_body import RequestBody

__all__ = ["CALL_PATH", "FAULTS_PATH", "STATS_PATH", "STORED_PATH", "Control"]

_ROOT: Final = "/_truckstream/"
CALL_PATH: Final = "/_truckstream/call"
FAULTS_PATH: Final = "/_truckstream/faults"
STATS_PATH: Final = "/_truckstream/stats"
STORED_PATH: Final = "/_truckstream/stored"

_JSON_TYPES: Final = ("application/json", CONTENT_TYPE)


class Control:
    """Responds to the requests for these paths. A request without a stream concerns the first one."""

    def __init__(self, backend: FaultyService) -> None:
        self._backend = backend
        self._handlers = {
            CALL_PATH: self._call,
            FAULTS_PATH: self._faults,
            STATS_PATH: self._stats,
            STORED_PATH: self._stored,
        }

    def owns(self, path: str) -> bool:
        """Return whether the requests for `path` belong here."""
        return path.startswith(_ROOT)

    async def respond(self, request: web.BaseRequest, body: RequestBody) -> web.Response:
        """Respond to a request for one of the paths."""
        handler = self._handlers.get(request.path)
        if handler is None:
            return _json(404, {"message": f"{request.path} is none of {', '.join(self._handlers)}"})
        if request.method == "POST" and request.content_type not in _JSON_TYPES:
            return _json(415, {"message": f"Content-Type is {request.content_type}: must be {_JSON_TYPES[0]}"})
        try:
            return await handler(request, await body.read())
        except RefusedError as error:
            status = 404 if error.code == "ResourceNotFoundException" else error.status
            return _json(status, {"__type": error.code, "message": error.message})
        except (ValueError, RecursionError, msgspec.DecodeError) as error:  # the second one for nested lists
            return _json(400, {"__type": type(error).__name__, "message": str(error)})

    async def _call(self, request: web.BaseRequest, body: bytes) -> web.Response:
        if request.method != "POST":
            return _json(405, {"message": f"{CALL_PATH} takes POST and not {request.method}"})
        target = f"Kinesis_20131202.{request.query.get('operation', '')}"
        service, now = self._backend.service, self._backend.clock()
        response = respond(service, target=target, content_type=CONTENT_TYPE, body=body, now=now)
        return web.Response(status=response.status, body=response.body, content_type=CONTENT_TYPE)

    async def _faults(self, request: web.BaseRequest, body: bytes) -> web.Response:
        if request.method == "POST":
            document = msgspec.json.decode(body)
            await self._backend.inject([Fault.read(one) for one in _as_list(document)])
        elif request.method == "DELETE":
            await self._backend.clear_faults()
        injector = self._backend.injector
        return _json(200, {"seed": injector.seed, "faults": injector.report(), "hits": injector.hits()})

    async def _stats(self, request: web.BaseRequest, body: bytes) -> web.Response:  # noqa: ARG002 - as the others
        return _json(200, await self._backend.stats(request.query.get("stream")))

    async def _stored(self, request: web.BaseRequest, body: bytes) -> web.Response:  # noqa: ARG002 - as the others
        query = request.query
        place = query.get("place", "0")
        if not place.isdecimal():
            raise ValueError(f"place is {place!r}: must be a whole number")
        name = query.get("stream", self._backend.stream_name)
        page = await self._backend.stored_page(name, query.get("shard", ""), int(place))
        return web.Response(body=msgspec.msgpack.encode(page), content_type="application/msgpack")


def _as_list(document: Any) -> list[Any]:
    return document if isinstance(document, list) else [document]


def _json(status: int, document: Any) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(document), content_type="application/json")
