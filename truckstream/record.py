"""One truck's report: 22 fields, their rules as one table, and JSON both ways.

The table is the class itself: each field's type carries its rule, so decoding and checking are one pass
through msgspec, and `FIELDS` is read off the same annotations for the simulator and the documents. A field
without a rule takes any value of its type. Fields that the table does not name are refused: a typing error
in a sensor's name must not pass for a missing sensor.

A decoder takes the last of two members of one name and says nothing. Where every record has the same members, one more
comma tells of it, so that good records pay a count of their commas and no more: `count_commas`, `refuse_repeated`.

A decoder stops at the first broken rule. `explain` then finds the value that broke it, on the failure path
only, so that good records pay nothing for good messages.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, get_origin

import msgspec

from truckstream.errors import InvalidRecordError

__all__ = ["FIELDS", "REASONS", "Field", "TruckRecord", "count_commas", "explain", "refuse_repeated"]

#: Why a record was refused: the reason code and what it says.
REASONS: Final = {
    "malformed_json": "the bytes are not one JSON document in UTF-8",
    "wrong_type": "a value has another type than its field",
    "out_of_range": "a value lies outside its field's limits",
    "not_allowed": "a value is none of those that its field allows",
    "missing_field": "a required field is not there",
    "unknown_field": "a field that the schema does not name",
    "repeated_field": "a field that is there more than once",
    "schema": "a rule of the schema is broken in another way",
}


def _number(minimum: float | None = None, maximum: float | None = None, unit: str = "") -> msgspec.Meta:
    return msgspec.Meta(ge=minimum, le=maximum, extra={"unit": unit})


Pressure = Annotated[float, _number(28.0, 35.0, "PSI")]


class TruckRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a truck reports, about 500 bytes of compact JSON.

    The constructor trusts its caller, because the simulator makes hundreds of thousands a second;
    `checked` and `from_json` hold every field to its rule.
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
    engine_rpm: int
    miles_since_maintenance: int
    ambient_temp: float
    vibration_level: float
    fuel_consumption_rate: float
    latitude: float
    longitude: float
    health_status: Literal["NORMAL", "WARNING", "URGENT"]

    @classmethod
    def checked(cls, **fields: object) -> TruckRecord:
        """A record whose every field keeps its rule.

        Raises:
            InvalidRecordError: names the field, its value and the rule that it breaks.
        """
        try:
            return msgspec.convert(fields, cls)
        except msgspec.ValidationError as error:
            raise explain(error, fields, cls) from None

    @classmethod
    def from_json(cls, data: bytes | str) -> TruckRecord:
        """The record in one JSON object, checked.

        Raises:
            InvalidRecordError: names the field, its value and the rule that it breaks.
        """
        try:
            record = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise explain(error, data, cls) from None
        if (data.count(",") if isinstance(data, str) else data.count(b",")) != _COMMAS:
            refuse_repeated(data)
        return record

    def to_json(self) -> bytes:
        """Compact JSON in UTF-8, the fields in the order of the table."""
        return _encode(self)


_decoder: Final = msgspec.json.Decoder(TruckRecord)
_encode: Final = msgspec.json.Encoder().encode


class Field(msgspec.Struct, frozen=True):
    """One row of the table of rules. For a string `minimum` and `maximum` bound its length in characters."""

    name: str
    kind: type[str] | type[int] | type[float]
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()


def _read_table() -> tuple[Field, ...]:
    rows = []
    for field in msgspec.structs.fields(TruckRecord):
        base, meta = _parts(field.type)
        choices = tuple(getattr(base, "__args__", ()))
        rows.append(
            Field(
                name=field.name,
                kind=str if choices else base,
                minimum=meta.ge if meta.ge is not None else meta.min_length,
                maximum=meta.le if meta.le is not None else meta.max_length,
                unit=(meta.extra or {}).get("unit", ""),
                choices=choices,
            )
        )
    return tuple(rows)


def _parts(annotation: Any) -> tuple[Any, msgspec.Meta]:
    metadata = getattr(annotation, "__metadata__", None)
    return (annotation.__origin__, metadata[0]) if metadata else (annotation, msgspec.Meta())


#: The 22 fields with their rules, in the order of the JSON object.
FIELDS: Final = _read_table()


def count_commas(schema: Any) -> int | None:
    """The commas of a record without any in its strings, if all records have the same members; else None.

    They have where the schema is a struct, all its fields are required and of a simple type, and no other is allowed.
    """
    if not (isinstance(schema, type) and issubclass(schema, msgspec.Struct)):
        return None
    fields, config = msgspec.structs.fields(schema), schema.__struct_config__
    strict = config.forbid_unknown_fields and not config.array_like and config.tag is None
    flat = all(field.required and _is_simple(_parts(field.type)[0]) for field in fields)
    return len(fields) - 1 if fields and strict and flat else None


def _is_simple(annotation: Any) -> bool:
    return annotation in (str, int, float, bool) or get_origin(annotation) is Literal


def refuse_repeated(data: bytes | str) -> None:
    """Look whether an object in `data`, which is JSON, has two members of one name.

    Raises:
        InvalidRecordError: names it, with its values; numbers as they stand.
    """
    import json  # noqa: PLC0415 - where nothing is broken, nobody needs it

    json.loads(data, object_pairs_hook=_unique, parse_int=str, parse_float=str)


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        repeated = next(name for name in names if names.count(name) > 1)
        values = [value for name, value in members if name == repeated]
        raise InvalidRecordError("repeated_field", repeated, values, "must be there once")
    return found


_COMMAS: Final = count_commas(TruckRecord)


# msgspec reports a broken rule as text only; these are the sentences that its versions 0.18 to 0.22 make.
_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_RANGE = re.compile(r"(of length|[<>]=?|number out of range|multiple of)", re.IGNORECASE)


def explain(error: Exception, source: object, schema: Any = None) -> InvalidRecordError:
    """Translate msgspec's `error` about `source` (the bytes, or the mapping that was converted).

    Works for any msgspec type; with `schema`, a struct, the rule of a choice lists what is allowed.
    """
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return InvalidRecordError("malformed_json", None, source, _plain(text))
    located = _PATH.search(text)
    rule = text[: located.start()] if located else text
    steps = _STEP.findall(located["path"]) if located else []
    code, named = _classify(rule)
    field = ".".join(name or index for name, index in steps) or None
    if named is not None:
        field = f"{field}.{named}" if field else named
        steps = [*steps, (named, "")]
    value = None if code == "missing_field" else _look_up(source, steps)
    choices = _choices(schema, field) if code == "not_allowed" else ()
    return InvalidRecordError(code, field, value, f"must be one of {', '.join(choices)}" if choices else _plain(rule))


def _classify(rule: str) -> tuple[str, str | None]:
    """The reason code, and the field that the sentence itself names."""
    if found := re.fullmatch(r"Object missing required field `(.*)`", rule):
        return "missing_field", found[1]
    if found := re.fullmatch(r"Object contains unknown field `(.*)`", rule, re.DOTALL):
        return "unknown_field", found[1]
    if rule.startswith("Invalid enum value"):
        return "not_allowed", None
    if ", got `" in rule:
        return "wrong_type", None
    if _RANGE.search(rule):
        return "out_of_range", None
    return "schema", None


def _look_up(source: Any, steps: list[tuple[str, str]]) -> object:
    try:
        value = source if isinstance(source, dict) else msgspec.json.decode(source)
        for name, index in steps:
            value = value[name] if name else value[int(index)]
    except (msgspec.DecodeError, LookupError, TypeError, UnicodeDecodeError):
        return "not readable"  # such as a number that no float can hold
    return value


def _choices(schema: Any, name: str | None) -> tuple[str, ...]:
    if not (isinstance(schema, type) and issubclass(schema, msgspec.Struct)):
        return ()
    annotations = [field.type for field in msgspec.structs.fields(schema) if field.name == name]
    return tuple(str(choice) for annotation in annotations for choice in getattr(annotation, "__args__", ()))


def _plain(sentence: str) -> str:
    sentence = sentence.replace("`", "").replace("Expected", "must be")
    for theirs, ours in (("Object missing required", "the record lacks the"), ("Object contains", "the schema has no")):
        sentence = sentence.replace(theirs, ours)
    return sentence.replace("no unknown field", "no field")
