"""Whether a PUT fits before the deadline, estimated from the duration of earlier PUTs.

The estimate is TCP's (RFC 6298): a running mean plus four running mean deviations. Nearly every next PUT takes less,
and no list of samples is needed. The estimate lives as long as the Batcher, so a warm function keeps it from call to
call.
"""

from __future__ import annotations

from typing import Final

__all__ = ["PutTimeEstimate"]

#: Seconds that the first PUT may take: connection, TLS and credentials included.
FIRST_GUESS: Final = 1.0

#: The lowest estimate in seconds: the event loop has other work to do, too.
MINIMUM: Final = 0.05

#: RFC 6298's weights of a new sample in mean and deviation.
_MEAN_WEIGHT: Final = 1 / 8
_DEVIATION_WEIGHT: Final = 1 / 4


class PutTimeEstimate:
    """Estimates the duration of the next PUT."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._deviation = 0.0

    def learn(self, seconds: float) -> None:
        """Take the duration of a PUT into account."""
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
            return
        self._deviation += _DEVIATION_WEIGHT * (abs(seconds - self._mean) - self._deviation)
        self._mean += _MEAN_WEIGHT * (seconds - self._mean)

    @property
    def seconds(self) -> float:
        """The time within which nearly every PUT ends."""
        return FIRST_GUESS if self._mean is None else max(MINIMUM, self._mean + 4 * self._deviation)

    def fits(self, puts: int, now: float, deadline: float | None) -> bool:
        """True if `puts` PUTs one after the other will probably end before the deadline."""
        return deadline is None or now + puts * self.seconds <= deadline
