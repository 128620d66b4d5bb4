"""A daemon thread with an event loop, for the calls of other threads."""

from __future__ import annotations

import asyncio
import math
import threading
from concurrent.futures import Future
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from truckstream.errors import ProducerClosedError, TruckstreamError, WrongEventLoopError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["STEP_SECONDS", "LoopThread"]

_T = TypeVar("_T")


#: A signal that comes just before the thread sleeps does not wake it (CPython 3.11 to 3.14). So that Ctrl-C is never
#: lost, waits are made of steps of so many seconds.
STEP_SECONDS: Final = 0.5


class LoopThread:
    """One event loop in a thread of its own, from `start` to `stop`."""

    def __init__(self, name: str) -> None:
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        #: Work is scheduled while this is held, so that none comes after the last turn of the loop.
        #: A thread may take it twice: signal handlers and finalizers may put records too.
        self._lock = threading.RLock()
        self._started: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event
        self._reason = "the producer is not open: use it as `with Producer(...) as producer`, or call open()"

    def start(self) -> None:
        """Start the thread, and wait for its loop."""
        self._thread.start()
        self._started.result()

    def stop(self) -> None:
        """End the loop and the thread."""
        with self._lock:
            loop, self._loop = self._loop, None
            self._reason = "the producer is closed"
            if loop:
                loop.call_soon_threadsafe(self._stop.set)
        if loop:
            self._thread.join()

    def leave_to_parent(self, reason: str) -> None:
        """Forget the loop in a forked process, which has no such thread. The lock may be held for ever there."""
        self._reason = reason
        self._lock = threading.RLock()
        self._loop = None

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function soon, on the loop.

        Raises:
            ProducerClosedError: the loop has ended.
        """
        with self._lock:
            self._running().call_soon_threadsafe(function, *arguments)

    def run(self, work: Coroutine[Any, Any, _T], timeout: float | None = None) -> _T:
        """Run a coroutine on the loop and return its result. It is cancelled if the wait for it ends early.

        Raises:
            TimeoutError: there was no result within `timeout` seconds.
            ProducerClosedError: the loop has ended.
            WrongEventLoopError: this is the loop's own thread, which would wait for itself.
        """
        try:
            self.require_other()
            with self._lock:
                future = asyncio.run_coroutine_threadsafe(work, self._running())
        except TruckstreamError:  # and not Ctrl-C, after which it may run already
            work.close()
            raise
        try:
            return _result_of(future, timeout)
        except BaseException:
            future.cancel()
            raise

    def require_other(self) -> None:
        """Check that the caller runs in another thread.

        Raises:
            WrongEventLoopError: it does not.
        """
        if self.is_current:
            raise WrongEventLoopError(
                "the producer's thread would wait for itself: do not wait in callbacks, observers"
            )

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in this thread."""
        return threading.get_ident() == self._thread.ident

    @property
    def has_ended(self) -> bool:
        """Whether the loop was started, and runs no more; or runs in another process."""
        return self._loop is None and self._started.done()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise ProducerClosedError(self._reason)
        return self._loop

    def _serve(self) -> None:
        asyncio.run(self._serve_until_stopped())

    async def _serve_until_stopped(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._started.set_result(None)
        await self._stop.wait()


def _result_of(future: Future[_T], timeout: float | None) -> _T:
    deadline = math.inf if timeout is None else monotonic() + timeout
    while True:
        try:
            return future.result(max(0.0, min(STEP_SECONDS, deadline - monotonic())))
        except TimeoutError:
            if future.done():
                return future.result()  # it came in the last moment, or is a TimeoutError itself
            if monotonic() >= deadline:
                raise
