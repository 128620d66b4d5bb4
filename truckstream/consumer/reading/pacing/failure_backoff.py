"""Pauses after failures that can pass: exponential backoff with full jitter, for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

__all__ = ["FailureBackoff"]

BACKOFF_BASE: Final = 0.1
BACKOFF_CAP: Final = 5.0
#: 0.1 s * 2**6 is above the cap, and a larger exponent would only cost time.
MOST_DOUBLINGS: Final = 6


class FailureBackoff:
    """The pauses of one shard.

    Args:
        random: the source of the jitter.
        now: seconds of the clock that all calls use.
    """

    __slots__ = ("_failures", "_random", "until")

    def __init__(self, random: Random, now: float) -> None:
        self._random = random
        self._failures = 0
        #: When the next call may be made.
        self.until = now

    def failed(self, now: float) -> None:
        """Pause, longer after each failure in a row."""
        longest = min(BACKOFF_CAP, BACKOFF_BASE * 2.0 ** min(self._failures, MOST_DOUBLINGS))
        self._failures += 1
        self.until = now + self._random.uniform(0.0, longest)

    def succeeded(self) -> None:
        """Begin with the shortest pause again."""
        self._failures = 0
