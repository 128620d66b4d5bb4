"""Durations as people write them: "90s", "5m", "1h"."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["duration_text", "parse_duration"]

_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s?([smhd])", re.ASCII)


def parse_duration(text: str) -> float | None:
    """Return the seconds of a text such as 90s, 5m, 1.5h or 1d; None for any other."""
    found = _DURATION.fullmatch(text)
    return float(found[1]) * _SECONDS[found[2]] if found else None


def duration_text(seconds: float) -> str:
    """Return a duration for people, in the two largest units, such as 4 min 10 s."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.3g} s"
    whole = round(seconds)
    units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")]
    words = []
    for size, name in units:
        count, whole = divmod(whole, size)
        if count:
            words.append(f"{count} {name}")
    return " ".join(words[:2])
