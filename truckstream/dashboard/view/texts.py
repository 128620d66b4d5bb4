"""Texts from records, limited in length. A record may hold anything, and a view must stay small.

The page never interprets them: it writes them as text, and shows characters that would hide or reorder others as
escapes. Here they only have to be short, and possible in JSON.
"""

from __future__ import annotations

from typing import Final

__all__ = ["LONGEST_TEXT", "short_text", "short_value"]

#: Characters of a text that a view keeps. The line in `rejected/` has the whole record.
LONGEST_TEXT: Final = 200


def short_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return a text of at most `longest` characters that UTF-8 can encode."""
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    return text.encode("utf-8", "backslashreplace").decode()


def short_value(value: object) -> str:
    """Return a value of a record as a short text."""
    try:
        return short_text(value if isinstance(value, str) else repr(value))
    except ValueError:  # an integer of thousands of digits, which Python does not print
        return f"a number of type {type(value).__name__} that is too large to print"
