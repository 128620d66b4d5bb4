"""HTTP: POST / with X-Amz-Target and a JSON body, answered by the service. And the state, for who runs it."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from truckstream.local.errors import KinesisError

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.local.service import Service

__all__ = ["STATS_PATH", "make_app", "stats_of"]

CONTENT_TYPE: Final = "application/x-amz-json-1.1"
STATS_PATH: Final = "/_truckstream/stats"
TARGET_PREFIX: Final = "Kinesis_20131202."
#: Ten mebibytes of data are 13.4 MiB in base64; the service's own checks come after.
MAX_BODY: Final = 32 * 1024 * 1024


def make_app(service: Service, clock: Callable[[], float] = time.time) -> web.Application:
    """The endpoint as an application of aiohttp."""

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            return _answer(200, service.call(*_parse(request, body), clock()))
        except KinesisError as error:
            return _answer(error.status, {"__type": error.code, "message": error.message})

    async def stats(_: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(stats_of(service)), content_type="application/json")

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_post("/", handle)
    app.router.add_get(STATS_PATH, stats)
    return app


def stats_of(service: Service) -> dict[str, Any]:
    """What every shard has taken, refused and given."""
    return {
        "requests": service.requests,
        "shards": {
            shard.shard_id: {
                "records_in": shard.records_in,
                "bytes_in": shard.bytes_in,
                "records_throttled": shard.throttled,
                "records_out": shard.records_out,
            }
            for stream in service.streams.values()
            for shard in stream.shards
        },
    }


def _parse(request: web.Request, body: bytes) -> tuple[str, dict[str, Any]]:
    target = request.headers.get("X-Amz-Target", "")
    try:
        members = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise KinesisError("SerializationException", "") from error
    if not isinstance(members, dict):
        raise KinesisError("SerializationException", "")
    return target.removeprefix(TARGET_PREFIX), members


def _answer(status: int, members: dict[str, Any]) -> web.Response:
    # Operations without a result answer with an empty body.
    body = orjson.dumps(members) if members else b""
    headers = {"x-amzn-RequestId": str(uuid.uuid4()), "Content-Type": CONTENT_TYPE}
    return web.Response(status=status, body=body, headers=headers)
