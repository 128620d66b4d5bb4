"""Command lines that are printed for people to copy."""

from __future__ import annotations

import shlex

__all__ = ["command_line"]


def command_line(*words: object) -> str:
    """Return a command line that a shell splits into exactly these words.

    A path or a name may contain spaces, quotes or `$(...)`. Pasted without quotes, it would be split, or run.
    """
    return shlex.join(str(word) for word in words)
