"""Console output that the commands share."""

from __future__ import annotations

import os
import sys

from rich.console import Console

__all__ = ["console", "discard_output", "error_console", "print_plain"]

console = Console()
error_console = Console(stderr=True)


def print_plain(text: str) -> None:
    """Print text for the user to copy: at once, without colour, and never wrapped to the terminal's width."""
    print(text, flush=True)


def discard_output() -> None:
    """Drop all further output. Python would report that it cannot flush a closed pipe when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
