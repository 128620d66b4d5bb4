"""When a failed record is sent again: exponential backoff with full jitter that never waits past the deadline.

Full jitter draws the delay from the whole interval [0, base * 2**attempt], which spreads competing senders best (Marc
Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). A delay is never longer than half of the time
that is left until the record's deadline, so that backing off alone never makes it expire.

Records that failed together share one delay, but each has a deadline of its own: a record that is about to expire must
not hurry the others. Times are rounded up to a multiple of `linger`, so that records that failed apart go together.
Without that, a service that fails each record by itself would get as many requests as records.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

__all__ = ["RetryBackoff"]

BASE_SECONDS: Final = 0.1
CAP_SECONDS: Final = 5.0

#: 0.1 s * 2**30 is far above the cap, and a larger exponent would only cost time.
MOST_DOUBLINGS: Final = 30

#: Without linger, times are rounded to this. So a record whose deadline is near is not tried over and over, each time
#: after half of the time that is left.
LEAST_LINGER: Final = 0.02


class RetryBackoff:
    """Delays between the attempts at records.

    Args:
        random: the source of the jitter.
        linger: seconds that a retry waits for company at most.
    """

    def __init__(
        self, random: Random, base: float = BASE_SECONDS, cap: float = CAP_SECONDS, *, linger: float = 0.0
    ) -> None:
        self._random = random
        self._base = base
        self._cap = cap
        self._linger = max(LEAST_LINGER, linger)

    def retry_at(self, attempts: int, now: float, deadline: float) -> float:
        """Return when to try again after `attempts` failed ones: before `deadline`, if that is still to come."""
        return _before(deadline, self.delay(attempts), now)

    def delay(self, attempts: int) -> float:
        """Return how long to wait after `attempts` failed attempts, without regard to a deadline."""
        longest = min(self._cap, self._base * 2.0 ** min(attempts - 1, MOST_DOUBLINGS))
        return self._random.uniform(0.0, longest)

    def retry_together_at(self, delay: float, now: float, deadline: float) -> float:
        """Return when to send a record again after about `delay`, at a time that others share."""
        at = _before(deadline, delay, now)
        shared = math.ceil(at / self._linger) * self._linger
        return shared if shared < deadline else at


def _before(deadline: float, delay: float, now: float) -> float:
    """Return the time after `delay`, or after half of the time until `deadline` if that is sooner."""
    return now + min(delay, max(0.0, (deadline - now) / 2))
