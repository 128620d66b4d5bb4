"""An event loop on virtual time, on which single workers can be frozen, as SIGSTOP does, or killed.

A worker is the context that its tasks run in: `loop.in_worker(name, coroutine)` starts one. While it is frozen none of
its callbacks runs; those that came due run when it wakes, later than they were meant to.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

from tests.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

worker = contextvars.ContextVar[str | None]("worker", default=None)


class _Guarded:
    """A callback that does not run while its worker is frozen, nor after it was killed."""

    __slots__ = ("arguments", "callback", "context", "handle", "loop")

    def __init__(self, loop: FreezingLoop, callback: Callable[..., Any], arguments: Any, context: Any) -> None:
        self.loop, self.callback, self.arguments, self.context = loop, callback, arguments, context
        self.handle: asyncio.Handle | None = None

    def __call__(self) -> None:
        if self.handle is not None and self.handle.cancelled():
            return
        name = self.context.get(worker)
        if name in self.loop.killed:
            self.loop.killed[name].append(self)
            return
        if name in self.loop.frozen:
            self.loop.frozen[name].append(self)
        else:
            self.callback(*self.arguments)


class FreezingLoop(VirtualTimeLoop):
    def __init__(self) -> None:
        super().__init__()
        self.frozen: dict[str | None, list[_Guarded]] = {}
        self.killed: dict[str | None, list[_Guarded]] = {}

    def in_worker(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        context = contextvars.copy_context()
        context.run(worker.set, name)
        return context.run(self.create_task, coroutine)

    def freeze(self, name: str) -> None:
        self.frozen.setdefault(name, [])

    def wake(self, name: str) -> None:
        for guarded in self.frozen.pop(name, ()):
            super().call_soon(guarded, context=guarded.context)

    def kill(self, name: str) -> None:
        self.killed.setdefault(name, [])

    def bury(self) -> None:
        """Let the killed workers end, now that the test is over.

        A task whose next step was kept back would never notice that the loop cancels it when it closes.
        """
        for task in asyncio.all_tasks(self) - {asyncio.current_task(self)}:
            task.cancel()
        killed, self.killed = self.killed, {}
        for guarded in (each for kept_back in killed.values() for each in kept_back):
            super().call_soon(guarded, context=guarded.context)
        for name in list(self.frozen):
            self.wake(name)  # type: ignore[arg-type]

    def call_soon(self, callback: Any, *arguments: Any, context: Any = None) -> asyncio.Handle:
        guarded = _Guarded(self, callback, arguments, context or contextvars.copy_context())
        guarded.handle = super().call_soon(guarded, context=guarded.context)
        return guarded.handle

    def call_at(self, when: float, callback: Any, *arguments: Any, context: Any = None) -> asyncio.TimerHandle:
        guarded = _Guarded(self, callback, arguments, context or contextvars.copy_context())
        guarded.handle = handle = super().call_at(when, guarded, context=guarded.context)
        return handle
