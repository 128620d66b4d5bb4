"""The slider and the buttons of a replay, as the page sends them."""

from __future__ import annotations

from typing import Annotated, Protocol

import msgspec

__all__ = ["ReplayCommand", "ReplayControl"]


class ReplayCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change to a running replay. What is None stays as it is."""

    #: Seconds since the epoch.
    position: float | None = None
    #: Seconds of the records in a second.
    speed: Annotated[float, msgspec.Meta(gt=0, le=100_000)] | None = None
    paused: bool | None = None


class ReplayControl(Protocol):
    """A feed that can be moved in time."""

    def control(self, command: ReplayCommand) -> None:
        """Apply a command as soon as possible."""
