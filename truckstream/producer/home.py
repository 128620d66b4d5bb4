"""Where a producer lives: one event loop of one process.

A producer is used from the loop that opened it. Elsewhere nothing would ever wake who waits, so that every use says
so at once: on another loop, after the loop has ended, and in a process that was forked from the producer's.
"""

from __future__ import annotations

import asyncio

from truckstream.errors import WrongEventLoopError

__all__ = ["Home"]


class Home:
    """The loop on which a producer was opened."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def settle(self) -> asyncio.AbstractEventLoop:
        """This loop it is."""
        self._loop = asyncio.get_running_loop()
        return self._loop

    def check(self) -> None:
        """Nothing, if that loop runs here.

        Raises:
            WrongEventLoopError: another one does, or none.
        """
        loop = self._loop
        if loop is None or asyncio._get_running_loop() is loop:  # noqa: SLF001 - public, but for its name
            return
        if loop.is_closed():
            raise WrongEventLoopError("the producer's event loop has ended without closing it: make a new producer")
        raise WrongEventLoopError(
            "the producer lives on another event loop, or in another thread: use it where it was opened, by way of "
            "asyncio.run_coroutine_threadsafe, or make one for each loop"
        )
