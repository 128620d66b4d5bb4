"""Ctrl-C for the commands on stored objects.

They may be killed at any moment, and the next run goes on. So Ctrl-C ends them at once, when what is theirs on this
machine is cleaned up. A request that waits for S3 runs in a thread, which Python would wait for: minutes for a large
file.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from truckstream.commands.output.results import print_interrupted
from truckstream.commands.signals import CANCELLED, run_command

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["end_interrupted", "run_interruptible"]


def run_interruptible(work: Coroutine[None, None, int], text: str, *, json: bool) -> int:
    """Run a command's coroutine and return its exit status. If it is cancelled, print `text`, and end the process."""

    async def run() -> int:
        try:
            return await work
        except (asyncio.CancelledError, KeyboardInterrupt):  # the second is a second Ctrl-C, while the first cleans up
            end_interrupted(text, json=json)

    return run_command(run())


def end_interrupted(text: str, *, json: bool = False) -> NoReturn:
    """Print that the command was interrupted, and end the process without waiting for its threads."""
    print_interrupted(text, json=json)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(CANCELLED)
