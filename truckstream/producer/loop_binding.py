"""The event loop that a producer belongs to.

A producer is used on the loop that opened it. Nothing would wake a caller on another loop, so using it there, or after
the loop has ended, raises an error at once.
"""

from __future__ import annotations

import asyncio

import msgspec

from truckstream.errors import WrongEventLoopError

__all__ = ["LoopBinding"]


class LoopBinding(msgspec.Struct, eq=False, gc=False):
    """The event loop on which a producer was opened.

    Every Delivery refers to it. It is a struct that the garbage collector does not track, so that it need not track the
    deliveries either (see `Outbox`).
    """

    loop: asyncio.AbstractEventLoop | None = None

    def bind(self) -> asyncio.AbstractEventLoop:
        """Bind to the running loop, for good, and return it."""
        self.loop = asyncio.get_running_loop()
        return self.loop

    def time(self) -> float:
        """Return the loop's time in seconds; 0 before `bind`."""
        return self.loop.time() if self.loop else 0.0

    def check(self) -> None:
        """Return if called on the bound loop, or before `bind`.

        Raises:
            WrongEventLoopError: another loop is running, or none.
        """
        loop = self.loop
        if loop is None or asyncio._get_running_loop() is loop:  # noqa: SLF001 - public, but for its name
            return
        if loop.is_closed():
            raise WrongEventLoopError("the producer's event loop has ended without closing it: make a new producer")
        raise WrongEventLoopError(
            "the producer belongs to another event loop or thread: use it where it was opened, with "
            "asyncio.run_coroutine_threadsafe, or make a producer for each loop"
        )
