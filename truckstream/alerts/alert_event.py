"""An alert: the beginning or the end of an incident, as every target receives it."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Literal

import msgspec

from truckstream.alerts.rules.rule import Severity

__all__ = ["AlertEvent", "incident_id", "iso_time"]


#: The last second that `datetime` knows.
_LATEST: Final = 253_402_300_799.0


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning or the end of an incident.

    Both have the same `id`, which follows from the rule, the truck and the report that began the incident. So a report
    that is read again makes the same events, and a target that knows `key` already can drop them.
    """

    id: str
    rule: str
    truck_id: str | None
    severity: Severity
    state: Literal["begun", "ended"]
    #: Event time of the report that began it.
    began: str
    #: Event time of the report that ended it; None while it lasts.
    ended: str | None
    #: The value that decided; None where there is no number.
    value: float | None
    message: str

    @property
    def key(self) -> str:
        """The name of this event: that of the incident, and the state."""
        return f"{self.id}-{self.state}"

    def to_json(self) -> bytes:
        """Encode as one line of JSON, without the line end."""
        return msgspec.json.encode(self)


def incident_id(rule: str, truck_id: str, began: float) -> str:
    """Return the identity of the incident that a report began: 32 hexadecimal digits."""
    return sha256(msgspec.json.encode([rule, truck_id, iso_time(began)])).hexdigest()[:32]


def iso_time(seconds: float) -> str:
    """Return a time in UTC as ISO 8601, such as 2026-11-29T08:30:00.000Z."""
    return datetime.fromtimestamp(min(seconds, _LATEST), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
