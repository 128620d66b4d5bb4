"""The time that a record itself contains, for the folders of the "hive" layout."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

__all__ = ["read_event_time"]

#: No sensor reported anything before this year, and folders of years with fewer than four digits do not sort.
_FIRST_YEAR = 1970


def read_event_time(line: bytes, field: str) -> datetime | None:
    """Return the time in a field of the JSON object in `line`, in UTC; None if there is no time.

    Text is read as ISO 8601, in UTC if it names no offset; a number as seconds since the epoch.
    """
    try:
        value = msgspec.json.decode(line)[field]
        at = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (msgspec.DecodeError, RecursionError, LookupError, TypeError, ValueError, OverflowError, OSError):
        return None
    return at if at.year >= _FIRST_YEAR else None
