"""Where a replay is: its position moves with the time, at a speed, until the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from truckstream.dashboard.serving.replay_control import ReplayCommand

__all__ = ["ReplayClock"]


class ReplayClock:
    """The position of a replay, in seconds since the epoch of the records.

    Args:
        first, last: the times between which it moves.
        speed: seconds of the records in a second.
        now: the present of the machine, in seconds of any origin.
    """

    def __init__(self, first: float, last: float, speed: float, now: float) -> None:
        self.first = first
        self.last = last
        self.speed = speed
        self.is_paused = False
        self._position = first
        self._since = now

    def position(self, now: float) -> float:
        """Return the position."""
        moved = 0.0 if self.is_paused else (now - self._since) * self.speed
        return min(self.last, self._position + moved)

    def apply(self, command: ReplayCommand, now: float) -> bool:
        """Apply a command, and return whether the position jumped."""
        self._position, self._since = self.position(now), now
        if command.speed is not None:
            self.speed = command.speed
        if command.paused is not None:
            self.is_paused = command.paused
        if command.position is None:
            return False
        self._position = min(self.last, max(self.first, command.position))
        return True

    def state(self, now: float) -> dict[str, Any]:
        """Return the state for the page."""
        return {
            "first": self.first,
            "last": self.last,
            "position": round(self.position(now), 2),
            "speed": self.speed,
            "paused": self.is_paused,
        }
