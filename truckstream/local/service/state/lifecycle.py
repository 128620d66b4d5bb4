"""The status of a stream or a consumer while it is created, changed or deleted."""

from __future__ import annotations

from typing import Literal

__all__ = ["ResourceLifecycle", "Status"]

Status = Literal["CREATING", "ACTIVE", "UPDATING", "DELETING"]


class ResourceLifecycle:
    """Reports ACTIVE, except for a while after each `transition`."""

    def __init__(self, now: float) -> None:
        self._transition: tuple[Status, float] = ("ACTIVE", now)

    def status(self, now: float) -> Status:
        state, until = self._transition
        return state if now < until else "ACTIVE"

    def transition(self, state: Status, until: float) -> None:
        """Report `state` until the time `until`."""
        self._transition = (state, until)

    def is_gone(self, now: float) -> bool:
        """Return whether the deletion is complete."""
        state, until = self._transition
        return state == "DELETING" and now >= until
