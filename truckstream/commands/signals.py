"""Ctrl-C and SIGTERM for the commands that run until the user stops them.

The first signal asks a command to stop: it delivers what it holds, prints its result, and exits as usual. A second
signal cancels it, and the exit status is 130.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Final

try:
    from uvloop import run as run_loop
except ModuleNotFoundError:  # uvloop does not exist for Windows
    run_loop = asyncio.run  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

__all__ = ["CANCELLED", "run_command", "stop_on_signals"]

#: The exit status that a shell reports for a program that SIGINT killed.
CANCELLED: Final = 130


def run_command(work: Coroutine[None, None, int]) -> int:
    """Run a command's coroutine and return its exit status."""
    try:
        return run_loop(work)
    except asyncio.CancelledError:
        return CANCELLED


@contextlib.contextmanager
def stop_on_signals(on_stop: Callable[[], None] = lambda: None) -> Iterator[asyncio.Event]:
    """Set the event on the first SIGINT or SIGTERM, after `on_stop`, and cancel the current task on the second."""
    loop, stop, task = asyncio.get_running_loop(), asyncio.Event(), asyncio.current_task()

    def on_signal() -> None:
        if not stop.is_set():
            on_stop()
        elif task:
            task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
