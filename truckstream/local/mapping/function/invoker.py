"""Calls the function: on the mapping's loop if it is async, and otherwise in one thread of its own.

It is always the same thread, so that a handler that keeps an event loop between calls, as it can in a warm Lambda
environment, finds its loop again. Calls for several shards take turns in the thread; on AWS, each shard would have an
environment of its own.

An invocation fails at the moment of its timeout. An async function is then cancelled. A thread cannot be cancelled: it
keeps running, and the next call waits for it to end, where AWS would have killed it.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from truckstream.errors import TruckstreamError
from truckstream.local.mapping.function.lambda_context import LambdaContext

__all__ = ["FunctionConfig", "FunctionError", "Handler", "Invoker"]

#: Takes (event, context) and returns the response; may be a coroutine function.
Handler = Callable[[dict[str, Any], Any], Any]


class FunctionError(TruckstreamError):
    """The function raised an exception, which is the cause, or timed out."""


class FunctionConfig(msgspec.Struct, frozen=True):
    """The function's configuration on AWS. The timeout is in seconds."""

    name: str
    arn: str
    timeout: float
    memory_in_mb: int


class Invoker:
    """Invokes one function."""

    def __init__(self, handler: Handler, function: FunctionConfig) -> None:
        self._handler = handler
        self._function = function
        self._is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
        self._thread = None if self._is_async else ThreadPoolExecutor(1, thread_name_prefix=function.name)
        self._turn = asyncio.Lock()
        # The call in the thread that timed out, if any. It may still be running.
        self._overdue: asyncio.Future[Any] | None = None

    async def invoke(self, make_event: Callable[[], dict[str, Any]], request_id: str) -> Any:
        """Call the function with the event that `make_event` returns, and return its response.

        Raises:
            FunctionError: the function raised an exception or timed out.
        """
        if self._thread is None:
            return await self._call_async(make_event, request_id)
        async with self._turn:
            return await self._call_in_thread(self._thread, make_event, request_id)

    def close(self) -> None:
        """Let the thread end, without waiting for a call that timed out."""
        if self._thread is not None:
            self._thread.shutdown(wait=self._overdue is None or self._overdue.done())

    async def _call_async(self, make_event: Callable[[], dict[str, Any]], request_id: str) -> Any:
        # In a task of its own, so that a function that cancels itself does not cancel the shard's task.
        running = asyncio.ensure_future(self._handler(make_event(), self._context(request_id)))
        running.add_done_callback(_retrieve)
        try:
            done, _ = await asyncio.wait([running], timeout=self._function.timeout)
        finally:
            running.cancel()
        if not done:
            await asyncio.wait([running])
            raise self._timed_out(request_id)
        try:
            return running.result()
        except (Exception, asyncio.CancelledError) as error:
            raise FunctionError(f"{request_id}: {error!r}") from error

    async def _call_in_thread(
        self, thread: ThreadPoolExecutor, make_event: Callable[[], dict[str, Any]], request_id: str
    ) -> Any:
        def call() -> Any:
            try:
                return self._handler(make_event(), self._context(request_id))
            except BaseException as error:  # not even SystemExit may end the loop
                raise FunctionError(f"{request_id}: {error!r}") from error

        if self._overdue is not None:
            await asyncio.wait([self._overdue])
        running = asyncio.get_running_loop().run_in_executor(thread, call)
        done, _ = await asyncio.wait([running], timeout=self._function.timeout)
        if done:
            return running.result()
        self._overdue = running
        running.add_done_callback(_retrieve)
        raise self._timed_out(request_id)

    def _timed_out(self, request_id: str) -> FunctionError:
        return FunctionError(f"{request_id}: Task timed out after {self._function.timeout:.2f} seconds")

    def _context(self, request_id: str) -> LambdaContext:
        return LambdaContext(
            request_id=request_id,
            function_name=self._function.name,
            function_arn=self._function.arn,
            memory_limit_in_mb=str(self._function.memory_in_mb),
            deadline=time.monotonic() + self._function.timeout,
            clock=time.monotonic,
        )


def _retrieve(running: asyncio.Future[Any]) -> None:
    """Retrieve the exception of a call that timed out or was cancelled, or asyncio would log it as never retrieved."""
    if not running.cancelled():
        running.exception()
