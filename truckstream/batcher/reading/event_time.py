"""When a record says that it happened."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

__all__ = ["read_event_time"]

#: Before this no sensor reported anything; and a year of less than four digits makes no folder that sorts.
_FIRST_YEAR = 1970


def read_event_time(line: bytes, field: str) -> datetime | None:
    """The time that the JSON object in `line` has in `field`, in UTC.

    Text is read as ISO 8601, UTC where it names no offset; a number as seconds since the epoch. None where there is
    neither.
    """
    try:
        value = msgspec.json.decode(line)[field]
        at = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (msgspec.DecodeError, RecursionError, LookupError, TypeError, ValueError, OverflowError, OSError):
        return None
    return at if at.year >= _FIRST_YEAR else None
