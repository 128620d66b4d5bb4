"""When a failed record is sent again: exponential backoff with full jitter that never waits past the deadline.

Full jitter draws the delay from the whole interval [0, base * 2**attempt], which spreads competing senders best (Marc
Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). A delay is never longer than half of the time
that is left until the deadline, so that backing off alone never makes a record expire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

__all__ = ["RetryBackoff"]

BASE_SECONDS: Final = 0.1
CAP_SECONDS: Final = 5.0


class RetryBackoff:
    """Delays between the attempts at one record."""

    def __init__(self, random: Random, base: float = BASE_SECONDS, cap: float = CAP_SECONDS) -> None:
        self._random = random
        self._base = base
        self._cap = cap

    def retry_at(self, attempts: int, now: float, deadline: float) -> float:
        """Return when to try again after `attempts` failed ones: before `deadline`, if that is still to come."""
        longest = min(self._cap, self._base * 2.0 ** min(attempts - 1, 30))
        return now + min(self._random.uniform(0.0, longest), max(0.0, (deadline - now) / 2))
