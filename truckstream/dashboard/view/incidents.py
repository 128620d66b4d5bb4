"""The incidents of the fleet: those that last, and the last ones that ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.dashboard.view.texts import short_text
from truckstream.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.alerts import AlertEvent

__all__ = ["Incidents"]

#: Incidents that are kept. Of more than these, ended ones go first, and then the oldest.
MOST_INCIDENTS: Final = 200


class Incidents:
    """The incidents of one view, by their ids."""

    def __init__(self) -> None:
        self._incidents: dict[str, tuple[int, AlertEvent]] = {}

    def add(self, event: AlertEvent, version: int) -> None:
        """Add an incident that begins, or replace it with its end."""
        self._incidents.pop(event.id, None)
        # The message begins with the id of the truck. It has up to 256 characters, and the page shows it by itself.
        finding = event.message.removeprefix(printable(f"{event.truck_id}: "))
        self._incidents[event.id] = (version, msgspec.structs.replace(event, message=short_text(finding)))
        if len(self._incidents) > MOST_INCIDENTS:
            ended = (key for key, (_, kept) in self._incidents.items() if kept.state == "ended")
            del self._incidents[next(ended, next(iter(self._incidents)))]

    def since(self, version: int) -> Iterator[AlertEvent]:
        """Yield the incidents that changed after a version, the oldest change first."""
        return (event for changed, event in self._incidents.values() if changed > version)

    def __len__(self) -> int:
        return len(self._incidents)
