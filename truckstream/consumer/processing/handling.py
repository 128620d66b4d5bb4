"""Which task runs the application's code for a shard, and whether somebody has cancelled it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any, Final

__all__ = ["is_cancelled", "is_in_handler", "mark_handler"]

#: Tasks that a handler starts inherit the value, but are other tasks.
_handler: Final[ContextVar[asyncio.Task[Any] | None]] = ContextVar("truckstream_handler", default=None)


def mark_handler() -> None:
    """Mark the current task as one that runs handlers, so that closing the consumer waits for it."""
    _handler.set(asyncio.current_task())


def is_in_handler() -> bool:
    """Return whether the current task runs handlers."""
    return _handler.get() is not None and _handler.get() is asyncio.current_task()


def is_cancelled() -> bool:
    """Return whether the current task was asked to end. A CancelledError may also come from a task that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
