"""The time that a record itself contains, for the folders of the "hive" layout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

__all__ = ["EVENT_TIME_WINDOW", "read_event_time"]

#: The folder of an object follows its first record, so a truck whose clock says 1970 would hide the records of all
#: others in it. A reader finds every record of a time within this window around it. Clocks with a wrong time zone are
#: less than a day off; records that a truck kept for longer lie in the hour of their arrival.
EVENT_TIME_WINDOW: Final = timedelta(days=1)


def read_event_time(line: bytes, field: str, arrival: datetime) -> datetime | None:
    """Return the time in a field of the JSON object in `line`, in UTC.

    Text is read as ISO 8601, in UTC if it names no offset; a number as seconds since the epoch.

    Returns:
        None if there is no time, or one that is more than `EVENT_TIME_WINDOW` away from `arrival`.
    """
    try:
        value = msgspec.json.decode(line)[field]
        at = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (msgspec.DecodeError, RecursionError, LookupError, TypeError, ValueError, OverflowError, OSError):
        return None
    return at if abs(at - arrival) <= EVENT_TIME_WINDOW else None
