"""Alerts to a function of the program, such as one that prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from truckstream.alerts.alert_event import AlertEvent

__all__ = ["LineTarget"]


class LineTarget:
    """Passes each event to a function. `event.to_json()` is its line of JSON."""

    name = "lines"
    batch = 100

    def __init__(self, write: Callable[[AlertEvent], object]) -> None:
        self._write = write

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to disconnect."""

    async def send(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        """Pass the events on."""
        for event in events:
            self._write(event)
        return ()
