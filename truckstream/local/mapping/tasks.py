"""Tasks that can be woken from their sleep, and whose first error is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["WakeableTasks"]


class WakeableTasks:
    """The running tasks of a mapping.

    Args:
        on_error: called when a task has failed.
    """

    def __init__(self, on_error: Callable[[], None]) -> None:
        self._on_error = on_error
        # Each task with the event that ends its sleep.
        self._wakes: dict[asyncio.Task[None], asyncio.Event] = {}
        self._error: BaseException | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in a task."""
        task = asyncio.create_task(work)
        self._wakes[task] = asyncio.Event()
        task.add_done_callback(self._remove)

    async def sleep(self, seconds: float) -> None:
        """Sleep in one of the tasks, until the time is over or `wake_all` is called."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this runs in one of the tasks
        wake = self._wakes[task]
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await wake.wait()
        except TimeoutError:
            return
        wake.clear()

    def wake_all(self) -> None:
        """End the sleep of every task, or its next one."""
        for wake in self._wakes.values():
            wake.set()

    async def wait(self) -> None:
        """Wait until all tasks have ended, and cancel them if this is cancelled."""
        try:
            while self._wakes:
                await asyncio.wait(list(self._wakes))
        finally:
            for task in self._wakes:
                task.cancel()

    def raise_error(self) -> None:
        """Raise the error of the first task that failed, if one did."""
        if self._error is not None:
            raise self._error

    def _remove(self, task: asyncio.Task[None]) -> None:
        del self._wakes[task]
        if not task.cancelled() and task.exception() is not None:
            self._error = self._error or task.exception()
            self._on_error()
