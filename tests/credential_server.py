"""A server of credentials on this machine, as Lambda has one for functions with SnapStart."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Self

from aiohttp import web

from tests.loop_server import serve


class CredentialServer:
    """Returns credentials to requests with the right Authorization header."""

    def __init__(self, token: str) -> None:
        self.token = token
        #: The credentials' lifetime in seconds.
        self.lifetime = 3600.0
        #: Bodies of responses with status 200 that come before the credentials; None for a response with status 503.
        self.instead = []
        self.answers = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/2021-03-23/credentials", self._serve)
        self._runner, address = await serve(app)
        self.url = f"http://{address}/2021-03-23/credentials"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        if self.instead:
            body = self.instead.pop(0)
            return web.Response(status=503) if body is None else web.Response(body=body)
        if request.headers.get("Authorization") != self.token:
            return web.json_response({"message": "wrong token"}, status=401)
        self.answers += 1
        expires = datetime.fromtimestamp(time.time() + self.lifetime, UTC)
        return web.json_response(
            {
                "AccessKeyId": f"ASIA{self.answers:04}",
                "SecretAccessKey": "secret",
                "Token": f"session-{self.answers}",
                "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )
