"""A bucket of tokens: how much may be sent now, and when more may be."""

from __future__ import annotations

from typing import Final

__all__ = ["TOLERANCE", "TokenBucket"]

#: A wake-up at exactly the right time must find its tokens in spite of rounding.
TOLERANCE: Final = 1e-6


class TokenBucket:
    """Tokens that arrive at `rate` a second, up to `capacity`. A large debit may leave a debt."""

    __slots__ = ("_at", "_tokens", "capacity", "rate")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self._tokens = capacity
        self._at = now

    def level(self, now: float) -> float:
        """Return the number of tokens; negative while a debt is paid off."""
        if now > self._at:
            self._tokens = min(self.capacity, self._tokens + (now - self._at) * self.rate)
            self._at = now
        return self._tokens

    def take(self, amount: float, now: float) -> None:
        """Take `amount`, or return it if it is negative; what exceeds the capacity is lost."""
        self._tokens = min(self.capacity, self.level(now) - amount)

    def when(self, amount: float, now: float) -> float:
        """Return when the bucket will hold `amount`; for more than its capacity, when it will be full."""
        missing = min(amount, self.capacity) - self.level(now)
        return now if missing <= TOLERANCE else now + missing / self.rate

    def set_rate(self, rate: float, now: float) -> None:
        self.level(now)
        self.rate = rate
