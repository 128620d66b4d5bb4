"""The state that a stream or a consumer shows while it is made, changed or removed."""

from __future__ import annotations

from typing import Literal

__all__ = ["Lifecycle", "Status"]

Status = Literal["CREATING", "ACTIVE", "UPDATING", "DELETING"]


class Lifecycle:
    """ACTIVE, but for a while after each `transition`."""

    def __init__(self, now: float) -> None:
        self._transition: tuple[Status, float] = ("ACTIVE", now)

    def status(self, now: float) -> Status:
        state, until = self._transition
        return state if now < until else "ACTIVE"

    def transition(self, state: Status, until: float) -> None:
        """Show `state` until the time `until`."""
        self._transition = (state, until)

    def is_gone(self, now: float) -> bool:
        """Whether its deletion is complete."""
        state, until = self._transition
        return state == "DELETING" and now >= until
