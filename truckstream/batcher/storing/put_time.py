"""How long a PUT takes, learnt from those that were made, to know when it is too late to begin one.

The estimate is TCP's (RFC 6298): a running mean plus four running mean deviations, which nearly every next PUT stays
below, without a list of samples. It lives as long as the Batcher: in a warm function it knows last call's PUTs.
"""

from __future__ import annotations

from typing import Final

__all__ = ["PutTime"]

#: Seconds that the first PUT may take: connection, TLS and credentials included.
FIRST_GUESS: Final = 1.0

#: No PUT is trusted to take less, in seconds: the event loop has other things to do.
LEAST: Final = 0.05

#: RFC 6298's weights of a new sample in mean and deviation.
_MEAN_WEIGHT: Final = 1 / 8
_DEVIATION_WEIGHT: Final = 1 / 4


class PutTime:
    """Learns from each PUT and says whether there is time for another."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._deviation = 0.0

    def learn(self, seconds: float) -> None:
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
            return
        self._deviation += _DEVIATION_WEIGHT * (abs(seconds - self._mean) - self._deviation)
        self._mean += _MEAN_WEIGHT * (seconds - self._mean)

    @property
    def estimate(self) -> float:
        """Seconds within which nearly every PUT is done."""
        return FIRST_GUESS if self._mean is None else max(LEAST, self._mean + 4 * self._deviation)

    def allows(self, puts: int, now: float, deadline: float | None) -> bool:
        """True if `puts` PUTs one after the other should be done by `deadline`."""
        return deadline is None or now + puts * self.estimate <= deadline
