"""The clocks of a local Kinesis: the wall clock, and one that a test moves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VirtualClock", "wall_clock"]


def wall_clock() -> Callable[[], float]:
    """Return a clock of seconds since the epoch that never goes back: the time now, continued by the monotonic clock.

    With the plain wall time, setting the machine's clock would lift a quota, or exhaust it for an hour.
    """
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


class VirtualClock:
    """A clock that stands still until a test moves it: `LocalKinesis(clock=VirtualClock())`.

    Args:
        start: seconds since the epoch; by default 2026-01-01 00:00 UTC, so that a test sees the same times every day.
    """

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        self._now = start

    def __repr__(self) -> str:
        return f"<VirtualClock {self._now:.3f}>"

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the time forward.

        Raises:
            InvalidArgumentError: `seconds` is negative: the service's time never goes back.
        """
        if not seconds >= 0:
            raise InvalidArgumentError("seconds", seconds, "must be at least 0")
        self._now += seconds
