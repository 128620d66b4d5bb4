"""What a test asks of a running local Kinesis over HTTP, beside the API: paths that no fault strikes.

| path | |
|---|---|
| `GET /_truckstream/stats?stream=` | `KinesisStats`, as JSON |
| `GET`, `POST`, `DELETE /_truckstream/faults` | shows the faults; adds one, or a list; removes all |
| `POST /_truckstream/call?operation=` | does an operation, whatever the faults and signatures |
| `GET /_truckstream/stored?stream=&shard=&place=` | a `StoredPage`, as MessagePack, which carries bytes |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from truckstream.local.faults.fault import Fault
from truckstream.local.kinesis_stats import read_stats
from truckstream.local.protocol.protocol import CONTENT_TYPE, respond
from truckstream.local.service.errors import RefusedError
from truckstream.local.stored_records import read_stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.local.faults.injector import FaultInjector
    from truckstream.local.service import Service

__all__ = ["CALL_PATH", "FAULTS_PATH", "STATS_PATH", "STORED_PATH", "Control"]

_ROOT: Final = "/_truckstream/"
CALL_PATH: Final = "/_truckstream/call"
FAULTS_PATH: Final = "/_truckstream/faults"
STATS_PATH: Final = "/_truckstream/stats"
STORED_PATH: Final = "/_truckstream/stored"


class Control:
    """Answers them; `stream_name` is the stream that a request means which names none."""

    def __init__(self, service: Service, injector: FaultInjector, stream_name: str, clock: Callable[[], float]) -> None:
        self._service = service
        self._injector = injector
        self._stream_name = stream_name
        self._clock = clock
        self._answers = {
            CALL_PATH: self._call,
            FAULTS_PATH: self._faults,
            STATS_PATH: self._stats,
            STORED_PATH: self._stored,
        }

    def owns(self, path: str) -> bool:
        """Whether `path` is below theirs."""
        return path.startswith(_ROOT)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer a request for a path that it owns."""
        function = self._answers.get(request.path)
        if function is None:
            return _json(404, {"message": f"{request.path} is none of {', '.join(self._answers)}"})
        try:
            return function(request, await request.read())
        except RefusedError as refusal:
            return _json(404, {"__type": refusal.code, "message": refusal.message})
        except (ValueError, msgspec.DecodeError) as error:
            return _json(400, {"__type": type(error).__name__, "message": str(error)})

    def _call(self, request: web.BaseRequest, body: bytes) -> web.Response:
        target = f"Kinesis_20131202.{request.query.get('operation', '')}"
        answer = respond(self._service, target=target, content_type=CONTENT_TYPE, body=body, now=self._clock())
        return web.Response(status=answer.status, body=answer.body, content_type=CONTENT_TYPE)

    def _faults(self, request: web.BaseRequest, body: bytes) -> web.Response:
        if request.method == "POST":
            document = msgspec.json.decode(body)
            faults = [Fault.read(one) for one in (document if isinstance(document, list) else [document])]
            for fault in faults:
                self._injector.inject(fault, self._clock())
        elif request.method == "DELETE":
            self._injector.clear()
        report = {"seed": self._injector.seed, "faults": self._injector.report(), "hits": self._injector.hits()}
        return _json(200, report)

    def _stats(self, request: web.BaseRequest, body: bytes) -> web.Response:  # noqa: ARG002 - as the others
        name = request.query.get("stream", self._stream_name)
        return _json(200, read_stats(self._service, name, self._clock(), self._injector.hits()))

    def _stored(self, request: web.BaseRequest, body: bytes) -> web.Response:  # noqa: ARG002 - as the others
        query = request.query
        name, shard_id = query.get("stream", self._stream_name), query.get("shard", "")
        place = query.get("place", "0")
        if not place.isdecimal():
            raise ValueError(f"place is {place!r}: must be a whole number")
        page = read_stored(self._service, name, shard_id, int(place), self._clock())
        return web.Response(body=msgspec.msgpack.encode(page), content_type="application/msgpack")


def _json(status: int, document: Any) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(document), content_type="application/json")
