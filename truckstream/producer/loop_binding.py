"""Where a producer lives: one event loop of one process.

A producer is used from the loop that opened it. Elsewhere nothing would ever wake who waits, so that every use says
so at once: on another loop, after the loop has ended, and in a process that was forked from the producer's.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from typing import TYPE_CHECKING, Final

from truckstream.errors import WrongEventLoopError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Home"]


class Home:
    """The loop on which a producer was opened.

    Args:
        on_fork: a method, to be called in a process that was forked from the producer's.
    """

    __slots__ = ("__weakref__", "_loop", "_on_fork")

    def __init__(self, on_fork: Callable[[], None]) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_fork = weakref.WeakMethod(on_fork)

    def settle(self) -> asyncio.AbstractEventLoop:
        """This loop it is, until `leave`."""
        self._loop = asyncio.get_running_loop()
        _SETTLED.add(self)
        return self._loop

    def leave(self) -> None:
        """Forks do not matter any more."""
        _SETTLED.discard(self)

    def on_fork(self) -> None:
        """This process is a copy of the producer's."""
        if on_fork := self._on_fork():
            on_fork()

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


_SETTLED: Final[weakref.WeakSet[Home]] = weakref.WeakSet()


def _in_child() -> None:
    for home in list(_SETTLED):
        home.on_fork()
    _SETTLED.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
