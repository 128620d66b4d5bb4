"""When a failed record goes again: exponential backoff with full jitter that never sleeps past its deadline.

Full jitter draws from the whole interval [0, base * 2**attempt], which spreads competing senders best (Marc
Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). A delay that would reach the deadline is
cut to half of what is left, so that backing off alone never makes a record expire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

__all__ = ["Backoff"]

BASE_SECONDS: Final = 0.1
CAP_SECONDS: Final = 5.0


class Backoff:
    """Delays between the attempts at one record."""

    def __init__(self, random: Random, base: float = BASE_SECONDS, cap: float = CAP_SECONDS) -> None:
        self._random = random
        self._base = base
        self._cap = cap

    def retry_at(self, attempts: int, now: float, deadline: float) -> float:
        """The time of the next attempt after `attempts` failed ones, before `deadline` whenever `now` is."""
        longest = min(self._cap, self._base * 2.0 ** min(attempts - 1, 30))
        return now + min(self._random.uniform(0.0, longest), max(0.0, (deadline - now) / 2))
