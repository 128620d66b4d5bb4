"""How much came in each of the last seconds."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["RateMeter"]

#: Long enough to even out a shard that is read five times a second, short enough to follow a change.
WINDOW_SECONDS: Final = 10


class RateMeter:
    """A rate over the last `WINDOW_SECONDS` whole seconds, the present one included."""

    __slots__ = ("_amounts", "_began")

    def __init__(self, now: float) -> None:
        self._began = now
        self._amounts: deque[list[int]] = deque()  # second and amount, ascending

    def add(self, amount: int, now: float) -> None:
        """Count an amount that came at `now`."""
        second = int(now)
        if self._amounts and self._amounts[-1][0] == second:
            self._amounts[-1][1] += amount
        else:
            self._amounts.append([second, amount])
            self._forget(second)

    def per_second(self, now: float) -> float:
        """Return the amount a second."""
        self._forget(int(now))
        window = min(now - self._began, now - int(now) + WINDOW_SECONDS - 1)
        return sum(amount for _, amount in self._amounts) / max(window, 1.0)

    def _forget(self, second: int) -> None:
        while self._amounts and self._amounts[0][0] <= second - WINDOW_SECONDS:
            self._amounts.popleft()
