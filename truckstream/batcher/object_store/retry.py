"""Retry policy for requests to the object store.

Every request of the batcher may be retried. A lookup changes nothing, and a PUT never stores anything twice: the key
follows from the records and nothing is overwritten, so the next attempt stores the object, or finds it if the previous
one stored it. obstore cannot know that. It retries a PUT after a response of 5xx, but not after a reset or a
timeout, when the object may be stored (0.12). So obstore's retries are disabled, and these are used.

The wait is AWS's "full jitter": a random share of a bound that doubles. The first failure without a response is retried
at once: most of these are connections that broke while the function was frozen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random

__all__ = ["StoreRetryPolicy"]


class StoreRetryPolicy(NamedTuple):
    """How often a request is made, and after which waits. Times in seconds."""

    attempts: int = 6
    base: float = 0.1
    longest: float = 5.0

    def wait(self, failures: int, random: Random, *, got_response: bool) -> float | None:
        """Return the seconds until the next attempt after `failures` in a row; None to give up.

        `got_response` is False if the last attempt failed without a response.
        """
        if failures >= self.attempts:
            return None
        if failures == 1 and not got_response:
            return 0.0
        return random.uniform(0, min(self.longest, self.base * 2 ** (failures - 1)))
