"""Ctrl-C, SIGTERM and a closed output, for the commands that run until the user stops them.

The first signal asks a command to stop: it delivers what it holds, prints its result, and exits as usual. A second
signal cancels it, and the exit status is 130.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import signal
import sys
from typing import TYPE_CHECKING, Final

try:
    from uvloop import run as run_loop
except ModuleNotFoundError:  # uvloop does not exist for Windows
    run_loop = asyncio.run  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

__all__ = ["CANCELLED", "run_command", "stop_on_signals", "wait_for_closed_output"]

#: The exit status that a shell reports for a program that SIGINT killed.
CANCELLED: Final = 130

#: Seconds between two looks whether anybody reads the output.
_LOOK_SECONDS: Final = 0.5


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


async def wait_for_closed_output() -> None:
    """Return when nobody reads the output any more: a write would show it only when there is something to print."""
    while not _output_is_closed():  # noqa: ASYNC110 - a closed pipe sets no event
        await asyncio.sleep(_LOOK_SECONDS)


def _output_is_closed() -> bool:
    """Return whether standard output is a pipe that nobody reads any more, such as after `| head`."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))
