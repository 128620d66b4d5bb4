"""The page of one truck: its 22 values, the rules that they break, and its signals over the last minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from truckstream.dashboard.view.trucks.truck_entry import SIGNALS
from truckstream.fleet.health import RULES, reasons_of
from truckstream.record import FIELDS

if TYPE_CHECKING:
    from truckstream.dashboard.view.trucks.truck_entry import TruckEntry

__all__ = ["FIELD_TABLE", "truck_page"]

_HEALTH_RULES: Final = {rule.field: rule for rule in RULES}


def _field(name: str, unit: str, minimum: float | None, maximum: float | None) -> dict[str, Any]:
    rule = _HEALTH_RULES.get(name)
    return {
        "name": name,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "warning": rule and rule.warning,
        "urgent": rule and rule.urgent,
    }


#: The fields in the order of the record, with the limits that a valid value keeps, and those of a healthy truck.
FIELD_TABLE: Final = [_field(field.name, field.unit, field.minimum, field.maximum) for field in FIELDS]


def truck_page(truck: TruckEntry) -> dict[str, Any]:
    """Return the page's content."""
    record = truck.record
    times, health, *signals = truck.history()
    return {
        "reported_at": truck.reported_at,
        "fields": FIELD_TABLE,
        "values": record,
        "unhealthy": [
            {
                "field": rule.field,
                "status": rule.status(getattr(record, rule.field)),
                "meaning": rule.meaning,
                "limit": rule.urgent if rule.status(getattr(record, rule.field)) == "URGENT" else rule.warning,
                "upper": rule.upper,
            }
            for rule in reasons_of(record)
        ],
        "rejection": truck.rejection,
        "times": times,
        "health": health,
        "signals": dict(zip(SIGNALS, signals, strict=True)),
    }
