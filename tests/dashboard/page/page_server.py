"""Serve a view in a thread of its own, so that a test without an event loop can drive a browser."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self

from tests.dashboard.reports import START, make_view
from truckstream.dashboard import Dashboard

if TYPE_CHECKING:
    from collections.abc import Callable


class PageServer:
    """A served view. Its clock stands still until `now` is changed."""

    def __init__(self, view: Any = None, **options: Any) -> None:
        self.view = view or make_view()
        self.now = START
        self.address = ""
        self._options = {"clock": lambda: self.now, "port": 0} | options
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def do(self, work: Callable[[Any], object]) -> None:
        """Change the view on its event loop."""
        done = threading.Event()

        def run() -> None:
            work(self.view)
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        async with Dashboard(self.view, **self._options) as page:
            self.address = page.address
            self._started.set()
            await self._stop.wait()
