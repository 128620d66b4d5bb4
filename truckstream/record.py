"""A truck's report: its fields with their rules as one table, and JSON both ways.

The table is the class itself. Each field's type carries its rule, so decoding and checking are one pass through
msgspec, and `FIELDS` is read from the same annotations for the simulator and for the tests of documents and templates.
Fields that the table does not have are rejected: a typing error in a sensor's name must not pass for a missing sensor.

A field without limits accepts every value of its type that the data lake can hold, in each format of its objects:

- A number is held as a double: every finite one. So latitude 927 is valid; only its sensor is wrong.
- An integer is held as 64 bits (`bigint` in Athena). A greater one would make DuckDB read the whole column as doubles.
- A text is held as it is, with all of Unicode, also control characters and NUL. `timestamp` is text too: one that is no
  time is stored all the same, and a query that casts it should use `try_cast`.

To add a sensor field, add it here and its signal to `fleet/truck.py`; `tests/test_sensor_fields.py` names every other
place that lists the fields.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from truckstream.schema_errors import (
    REASONS,
    expected_commas,
    fields_of,
    invalid_record_error,
    reject_repeated,
    split_annotation,
)

__all__ = ["FIELDS", "REASONS", "Field", "TruckRecord"]


def _number(minimum: float | None = None, maximum: float | None = None, unit: str = "") -> msgspec.Meta:
    return msgspec.Meta(ge=minimum, le=maximum, extra={"unit": unit})


#: An integer that fits the 64 bits of a column of DuckDB, Athena or Parquet.
Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

Pressure = Annotated[float, _number(28.0, 35.0, "PSI")]


class TruckRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One report of a truck, about 500 bytes of compact JSON.

    The constructor checks nothing, because the simulator makes hundreds of thousands of records a second; `checked` and
    `from_json` check every field.
    """

    #: 1 to 256 characters, because it is also the partition key.
    truck_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    timestamp: str
    tire_pressure_fl: Pressure
    tire_pressure_fr: Pressure
    tire_pressure_rl: Pressure
    tire_pressure_rr: Pressure
    engine_temp: Annotated[float, _number(70.0, 120.0, "°F")]
    oil_pressure: float
    fuel_level: float
    brake_temp: float
    transmission_temp: float
    battery_voltage: float
    coolant_temp: float
    speed: Annotated[float, _number(0.0, 120.0, "MPH")]
    engine_rpm: Integer
    miles_since_maintenance: Integer
    ambient_temp: float
    vibration_level: float
    fuel_consumption_rate: float
    latitude: float
    longitude: float
    health_status: Literal["NORMAL", "WARNING", "URGENT"]

    @classmethod
    def checked(cls, **fields: object) -> TruckRecord:
        """Make a record and check every field.

        Raises:
            InvalidRecordError: names the field, its value and the rule that it breaks.
        """
        try:
            return msgspec.convert(fields, cls)
        except msgspec.ValidationError as error:
            raise invalid_record_error(error, fields, cls) from None

    @classmethod
    def from_json(cls, data: bytes | str) -> TruckRecord:
        """Decode one JSON object and check every field.

        Raises:
            InvalidRecordError: names the field, its value and the rule that it breaks.
        """
        try:
            record = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise invalid_record_error(error, data, cls) from None
        if (data.count(",") if isinstance(data, str) else data.count(b",")) != _COMMAS:
            reject_repeated(data)
        return record

    def to_json(self) -> bytes:
        """Encode as compact JSON in UTF-8, the fields in the order of the table."""
        return _encode(self)


_decoder: Final = msgspec.json.Decoder(TruckRecord)
_encode: Final = msgspec.json.Encoder().encode
_COMMAS: Final = expected_commas(TruckRecord)


class Field(msgspec.Struct, frozen=True):
    """One row of the table. For a string, `minimum` and `maximum` limit its length in characters."""

    name: str
    kind: type[str] | type[int] | type[float]
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()


def _read_field(name: str, annotation: Any) -> Field:
    base, rules = split_annotation(annotation)
    choices = get_args(base)
    return Field(
        name=name,
        kind=str if choices else base,
        minimum=rules.ge if rules.ge is not None else rules.min_length,
        maximum=rules.le if rules.le is not None else rules.max_length,
        unit=(rules.extra or {}).get("unit", ""),
        choices=choices,
    )


#: All fields with their rules, in the order of the JSON object.
FIELDS: Final = tuple(_read_field(field.name, field.type) for field in fields_of(TruckRecord))
