"""A proxy in front of DynamoDB that throttles, delays, and loses requests and responses, at random by a seed."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from typing import TYPE_CHECKING

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: What can happen to a request, and how often. A request that is lost was never carried out; a response that is lost
#: belongs to one that was. With "silence" no response comes until the client gives up.
FATES = {
    "throttled": 0.10,
    "request lost": 0.03,
    "response lost": 0.05,
    "error after": 0.02,
    "late": 0.05,
    "silence": 0.002,
}

_THROTTLED = '{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"too fast"}'
_FAILED = '{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"try again"}'
_KEPT_HEADERS = ("Authorization", "Content-Type", "X-Amz-Date", "X-Amz-Target", "X-Amz-Security-Token")


class LossyDynamoDb:
    """A proxy to `url`, and what has happened to the requests."""

    def __init__(self, url: str, seed: int) -> None:
        self.fates: Counter[str] = Counter()
        self._target = url
        self._dice = random.Random(f"dynamodb/{seed}")

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Run the proxy; yield its URL."""
        async with ClientSession(timeout=ClientTimeout(30), connector=TCPConnector(limit=0)) as self._session:
            runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            try:
                yield f"http://127.0.0.1:{runner.addresses[0][1]}"
            finally:
                await runner.cleanup()

    def _choose(self) -> str:
        [fate] = self._dice.choices([*FATES, "passed on"], [*FATES.values(), 1 - sum(FATES.values())])
        return fate

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        fate = self._choose()
        self.fates[fate] += 1
        body = await request.read()
        if fate == "throttled":
            return web.Response(status=400, text=_THROTTLED, content_type="application/x-amz-json-1.0")
        if fate == "request lost":
            return _reset(request)
        if fate == "late":
            await asyncio.sleep(self._dice.uniform(0.1, 1.0))
        headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
        async with self._session.post(self._target, data=body, headers=headers) as response:
            found = await response.read()
        if fate == "response lost":
            return _reset(request)
        if fate == "silence":
            await asyncio.sleep(3)
        if fate == "error after":
            return web.Response(status=500, text=_FAILED, content_type="application/x-amz-json-1.0")
        return web.Response(status=response.status, body=found, content_type="application/x-amz-json-1.0")


def _reset(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
