"""Reports of trucks with the values that a test names, and events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from tests.sample_record import DESCRIBED
from truckstream.alerts import AlertEvent, read_report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.alerts import TruckReport

#: From which the tests count seconds.
START = datetime(2026, 11, 29, 8, 30, tzinfo=UTC).timestamp()


def record(truck_id: str, second: float, **fields: object) -> bytes:
    """Return the bytes of a truck's record of this second."""
    text = datetime.fromtimestamp(START + second, UTC).isoformat()
    return msgspec.json.encode(DESCRIBED | {"truck_id": truck_id, "timestamp": text} | fields)


def report(truck_id: str, second: float, *, arrival: float | None = None, **fields: object) -> TruckReport:
    """Return a truck's report of this second, which arrives at once if `arrival` is not given."""
    found = read_report(record(truck_id, second, **fields), START + (second if arrival is None else arrival))
    assert found is not None
    return found


def seconds(text: str | None) -> float | None:
    """Return a time of an event as the tests count it."""
    return None if text is None else datetime.fromisoformat(text).timestamp() - START


def alert(number: int, state: Literal["begun", "ended"] = "begun", *, truck_id: str = "A") -> AlertEvent:
    """Return one event of incident `number`."""
    return AlertEvent(
        id=f"{number:032x}",
        rule="hot",
        truck_id=truck_id,
        severity="warning",
        state=state,
        began="2026-11-29T08:30:00.000Z",
        ended=None if state == "begun" else "2026-11-29T08:31:00.000Z",
        value=111.0,
        message=f"{truck_id}: engine_temp is 111 °F (hot)",
    )


def turns(events: Iterable[AlertEvent]) -> list[tuple[str, str | None, str, float | None, float | None]]:
    """Return rule, truck, state, beginning and end of events, in seconds from `START`."""
    return [(each.rule, each.truck_id, each.state, seconds(each.began), seconds(each.ended)) for each in events]
