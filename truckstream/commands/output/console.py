"""Console output that the commands share."""

from __future__ import annotations

from rich.console import Console

__all__ = ["console", "error_console", "print_plain"]

console = Console()
error_console = Console(stderr=True)


def print_plain(text: str) -> None:
    """Print text for the user to copy: at once, without colour, and never wrapped to the terminal's width."""
    print(text, flush=True)
