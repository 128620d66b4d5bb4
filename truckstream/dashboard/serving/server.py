"""The server of the page: its files, the stream of changes, the page of a truck, and the controls of a replay.

Each browser gets its changes from a loop of its own, which asks the view for the changes since its last message when
that has been sent. So a browser that is slow, or gone without a word, holds up neither the feed nor another browser,
and no message waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import TYPE_CHECKING, Final, Self

import msgspec
from aiohttp import web

from truckstream.dashboard.serving.access import SECURITY_HEADERS, Access, is_loopback
from truckstream.dashboard.serving.assets import read_assets
from truckstream.dashboard.serving.replay_control import ReplayCommand
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

    from truckstream.dashboard.serving.replay_control import ReplayControl
    from truckstream.dashboard.view.fleet_view import FleetView, Update

__all__ = ["DEFAULT_PORT", "Dashboard"]

DEFAULT_PORT: Final = 8421

#: Between two messages to a browser.
TICK_SECONDS: Final = 0.1
#: A browser that takes no bytes for so long is gone.
WRITE_SECONDS: Final = 20.0
#: A paused replay has no changes. A comment shows then whether the browser is still there.
QUIET_SECONDS: Final = 10.0
#: Browsers that may look at the same time.
MOST_VIEWERS: Final = 64
#: The most bytes of a request's body: a command to a replay.
LARGEST_BODY: Final = 4_096


class Dashboard:
    """Serves a view as a page while its context is open.

    Args:
        view: the view; the caller feeds it.
        host: the address to listen on. Any other than this machine's own makes the page need a token.
        port: the port; 0 takes a free one.
        names: further names that the server may be called by.
        clock: the view's time, in seconds since the epoch.
        replay: the feed whose time the page may change.
    """

    def __init__(
        self,
        view: FleetView,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        names: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
        replay: ReplayControl | None = None,
    ) -> None:
        self._view = view
        self._host = host
        self._port = port
        self._clock = clock
        self._replay = replay
        #: The token that a request must have; None if only this machine can connect.
        self.token = None if is_loopback(host) else secrets.token_urlsafe(24)
        self._access = Access(host, self.token, names)
        self._assets = read_assets()
        #: Browsers that look at present.
        self.viewers = 0
        self._is_closing = False
        self._next_tick = asyncio.Event()
        self._ticking: asyncio.Task[None] | None = None
        application = web.Application(middlewares=[self._guard], client_max_size=LARGEST_BODY)
        application.on_response_prepare.append(_add_security_headers)
        application.add_routes(
            [
                web.get("/", self._page),
                web.get("/static/{path:.+}", self._asset),
                web.get("/events", self._events),
                web.get("/truck", self._truck),
                web.post("/replay", self._control),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)

    @property
    def address(self) -> str:
        """The address to open, once the context is open. It has the token, if there is one."""
        port = self._runner.addresses[0][1]
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._host, self._host)  # noqa: S104 - where to connect
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http://{host}:{port}/" + (f"?token={self.token}" if self.token else "")

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            where = f"{self._host}:{self._port}"
            raise ConfigurationError(
                "--port", f"cannot be opened at {where} ({error.strerror or error})", "Choose a free port; 0 takes one."
            ) from error
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closing = True
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        self._next_tick.set()
        await self._runner.cleanup()

    async def wait_until_unwatched(self, seconds: float) -> None:
        """Return when no browser has looked for so many seconds, one after the other."""
        last_seen = time.monotonic()
        while time.monotonic() - last_seen < seconds:
            await asyncio.sleep(min(seconds, TICK_SECONDS))
            if self.viewers:
                last_seen = time.monotonic()

    async def _tick(self) -> None:
        next_time = time.monotonic()
        while True:
            self._view.tick(self._clock())
            due, self._next_tick = self._next_tick, asyncio.Event()
            due.set()
            next_time = max(next_time + TICK_SECONDS, time.monotonic())
            await asyncio.sleep(next_time - time.monotonic())

    # --- Requests -----------------------------------------------------------------------------------

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        in_query = request.query.get("token")
        refusal = self._access.refusal(request.headers, request.cookies.get(self._cookie), in_query)
        if refusal is not None:
            status, text = refusal
            return web.Response(status=status, text=f"{text}\n")
        if self._access.is_token(in_query):
            leaving = web.HTTPSeeOther("/")
            leaving.set_cookie(self._cookie, self.token or "", httponly=True, samesite="Strict", path="/")
            raise leaving
        return await handler(request)

    @property
    def _cookie(self) -> str:
        # The cookies of a host are those of all its ports.
        return f"truckstream-{self._runner.addresses[0][1]}"

    async def _page(self, _: web.Request) -> web.Response:
        return self._file("index.html")

    async def _asset(self, request: web.Request) -> web.Response:
        return self._file(request.match_info["path"])

    def _file(self, path: str) -> web.Response:
        asset = self._assets.get(path)
        if asset is None:
            raise web.HTTPNotFound
        return web.Response(
            body=asset.content, content_type=asset.type, charset="utf-8", headers={"Cache-Control": "no-cache"}
        )

    async def _truck(self, request: web.Request) -> web.Response:
        return _json(self._view.truck_page(request.query.get("id", "")))

    async def _control(self, request: web.Request) -> web.Response:
        if self._replay is None:
            raise web.HTTPNotFound
        # A form of another site cannot have this type, and a script of another site is refused by its Origin.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        try:
            command = msgspec.json.decode(await request.read(), type=ReplayCommand)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        self._replay.control(command)
        return _json(b"null")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self.viewers >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_VIEWERS} browsers look already.\n")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        self.viewers += 1
        try:
            await response.prepare(request)
            await self._send_changes(request, response)
        except (ConnectionError, TimeoutError):
            pass  # the browser is gone, or takes nothing
        finally:
            self.viewers -= 1
        return response

    async def _send_changes(self, request: web.Request, response: web.StreamResponse) -> None:
        version, sent_at = None, 0.0
        while not self._is_closing and request.transport is not None:
            due, now = self._next_tick, time.monotonic()
            update: Update = self._view.delta(version)
            is_quiet = update.version == version
            if not is_quiet or now - sent_at > QUIET_SECONDS:
                async with asyncio.timeout(WRITE_SECONDS):
                    await response.write(b":\n\n" if is_quiet else b"data: %b\n\n" % update.data)
                version, sent_at = update.version, now
            await due.wait()
        with contextlib.suppress(ConnectionError):
            await response.write(b"event: end\ndata: end\n\n")


async def _add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)


def _json(data: bytes) -> web.Response:
    return web.Response(body=data, content_type="application/json", headers={"Cache-Control": "no-store"})
