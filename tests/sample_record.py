"""The sample record of the documents, and a value for every field that the table has beyond it."""

from __future__ import annotations

from truckstream.record import FIELDS, Field

#: The record that documents and benchmarks describe as 498 bytes of JSON.
DESCRIBED: dict[str, object] = {
    "truck_id": "TRUCK_001",
    "timestamp": "2025-01-15 14:30:25",
    "tire_pressure_fl": 32.5,
    "tire_pressure_fr": 31.8,
    "tire_pressure_rl": 33.2,
    "tire_pressure_rr": 32.1,
    "engine_temp": 95.7,
    "oil_pressure": 45.3,
    "fuel_level": 78.9,
    "brake_temp": 85.2,
    "transmission_temp": 82.4,
    "battery_voltage": 13.8,
    "coolant_temp": 88.1,
    "speed": 65.4,
    "engine_rpm": 2150,
    "miles_since_maintenance": 12450,
    "ambient_temp": 22.3,
    "vibration_level": 0.3,
    "fuel_consumption_rate": 8.7,
    "latitude": 27.717234,
    "longitude": 85.324567,
    "health_status": "NORMAL",
}


def _valid_value(field: Field) -> object:
    """Return a value that keeps the rules of a field."""
    if field.kind is str:
        return field.choices[0] if field.choices else "x" * int(field.minimum or 0)
    limits = [limit for limit in (field.minimum, field.maximum) if limit is not None]
    return field.kind(sum(limits) / len(limits) if limits else 0)


#: One valid value for each field, in the order of the table.
SAMPLE: dict[str, object] = {
    field.name: DESCRIBED[field.name] if field.name in DESCRIBED else _valid_value(field) for field in FIELDS
}
