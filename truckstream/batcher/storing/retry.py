"""When a request to the store is made again, and when it is given up.

Every request of the batcher may be repeated. Looking changes nothing, and creating is for free: the key follows from
the records and nothing is overwritten, so whatever became of the attempt before, the next one stores the object or
finds it. obstore cannot know that. It repeats a PUT after an answer of 5xx, and not after a reset or a timeout, where
the object may be stored (0.12); so its retries are off and these are on.

The wait is AWS's "full jitter": a random share of a bound that doubles. The first failure without an answer is
repeated at once: most of these are connections that died while the function was frozen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

__all__ = ["Retry", "is_passing", "status_of"]

#: What obstore says of an answer, as in "Server returned non-2xx status code: 503 Service Unavailable".
_STATUS = re.compile(r"\bstatus(?: code)?:? (\d{3})\b")

#: Client errors that pass: the connection was too slow to be read (S3 says 400 RequestTimeout), or too many requests.
_PASSING: Final = (408, 429)
_FIRST_SERVER_ERROR: Final = 500


def status_of(message: str) -> int | None:
    """The HTTP status that an error of obstore speaks of; None if there was no answer."""
    found = _STATUS.search(message)
    return int(found[1]) if found else None


def is_passing(message: str) -> bool:
    """True if the same request may succeed a moment later."""
    status = status_of(message)
    if status is None or status >= _FIRST_SERVER_ERROR or status in _PASSING:
        return True
    return "<Code>RequestTimeout</Code>" in message


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and after how long. Times in seconds."""

    attempts: int = 6
    base: float = 0.1
    most: float = 5.0

    def wait(self, failures: int, random: Random, *, answered: bool) -> float | None:
        """Seconds until the next attempt, after so many failures in a row; None to give up.

        `answered` is False if the last failure was one without an answer.
        """
        if failures >= self.attempts:
            return None
        if failures == 1 and not answered:
            return 0.0
        return random.uniform(0, min(self.most, self.base * 2 ** (failures - 1)))
