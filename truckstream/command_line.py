"""Command lines that are printed for people to copy."""

from __future__ import annotations

import os
import shlex

__all__ = ["command_line"]


def command_line(*words: object) -> str:
    """Return a command line that a shell splits into exactly these words.

    A path or a name may contain spaces, quotes or `$(...)`. Pasted without quotes, it would be split, or run. Control
    characters, which a terminal would obey instead of showing them, and bytes that are no text are escaped; the shells
    that read such an escape are bash, zsh and ksh.
    """
    return " ".join(_quoted(str(word)) for word in words)


def _quoted(word: str) -> str:
    if all(each.isprintable() or each == "\n" for each in word):
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(character: str) -> str:
    if character.isprintable():
        return f"\\{character}" if character in "\\'" else character
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))
