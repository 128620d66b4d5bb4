"""The interface of a target, which receives events at least once each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from truckstream.alerts.alert_event import AlertEvent

__all__ = ["AlertTarget"]


class AlertTarget(Protocol):
    """Sends events. Open it as a context."""

    #: Unique among the targets of a program, and the same after a restart. It contains no secret.
    name: str
    #: The most events that one call of `send` takes.
    batch: int

    async def __aenter__(self) -> Self:
        """Connect."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Disconnect."""

    async def send(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        """Send events in their order, and return those that failed for a moment, to be sent again.

        Raises:
            AlertTargetError: all of them failed; it is `retryable` if they should be sent again.
        """
