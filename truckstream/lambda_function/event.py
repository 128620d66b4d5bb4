"""The event that Lambda passes, and the parts of the response that depend on it.

An event of a tumbling window has a state that the response must return. Lambda counts a response without it as a failed
call. The last event of a window may have no records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truckstream.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["records_of", "state_of"]


def records_of(event: Any) -> list[dict[str, Any]]:
    """Return the records of a Kinesis event.

    Raises:
        UsageError: it is another event.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if records is None and _ends_window(event):
        return []
    if not isinstance(records, list):
        found = sorted(map(str, event)) if isinstance(event, dict) else type(event).__name__
        raise UsageError(f"the event has no Records: {found}. The function's trigger must be a Kinesis stream.")
    return records


def state_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tumbling window's state, unchanged, as the response needs it; nothing for other events."""
    return {"state": event.get("state") or {}} if "window" in event else {}


def _ends_window(event: Any) -> bool:
    return isinstance(event, dict) and "window" in event and ":kinesis:" in str(event.get("eventSourceARN"))
