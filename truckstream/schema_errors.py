"""Why a record breaks its schema: reason codes, and msgspec's messages translated into `InvalidRecordError`.

A decoder stops at the first broken rule and reports it as text. `invalid_record_error` then finds the value that broke
the rule. That happens for invalid records only, so valid ones pay nothing for good messages.

A decoder takes the last of two members with one name, without an error. Where all records of a schema have the same
members, a repeated one adds a comma. So a valid record pays for a count of its commas (`expected_commas`), and only
where that differs is the record searched for a repeated member (`reject_repeated`).
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeGuard, get_args, get_origin

import msgspec

from truckstream.errors import InvalidRecordError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["REASONS", "expected_commas", "fields_of", "invalid_record_error", "reject_repeated", "split_annotation"]

#: The reason codes of invalid records, and their meanings.
REASONS: Final = {
    "malformed_json": "the bytes are not one JSON document in UTF-8",
    "wrong_type": "a value has another type than its field",
    "out_of_range": "a value lies outside its field's limits",
    "not_allowed": "a value is none of those that its field allows",
    "missing_field": "a required field is missing",
    "unknown_field": "a field that the schema does not have",
    "repeated_field": "a field that occurs more than once",
    "schema": "a rule of the schema is broken in another way",
}


# --- The schema -----------------------------------------------------------------------------------

# An event may have hundreds of thousands of invalid records, and to look a struct's fields up takes 0.3 ms: msgspec
# evaluates their annotations. So what follows from a struct alone is kept.


@lru_cache(maxsize=64)
def fields_of(schema: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Return the fields of a struct."""
    return msgspec.structs.fields(schema)


def _is_struct(schema: Any) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(schema, type) and issubclass(schema, msgspec.Struct)


# --- Repeated members -----------------------------------------------------------------------------


def expected_commas(schema: Any) -> int | None:
    """Return the commas in a record whose texts contain none, if all records of `schema` have the same members.

    They have where the schema is a struct, all its fields are required and of a simple type, and no others are allowed.
    Otherwise return None.
    """
    return _commas_of(schema) if _is_struct(schema) else None


@lru_cache(maxsize=64)
def _commas_of(schema: type[msgspec.Struct]) -> int | None:
    fields, config = fields_of(schema), schema.__struct_config__
    strict = config.forbid_unknown_fields and not config.array_like and config.tag is None
    flat = all(field.required and _is_simple(split_annotation(field.type)[0]) for field in fields)
    return len(fields) - 1 if fields and strict and flat else None


def split_annotation(annotation: Any) -> tuple[Any, msgspec.Meta]:
    """Split an annotation of a struct's field into its type and its rules."""
    if get_origin(annotation) is not Annotated:
        return annotation, msgspec.Meta()
    base, *annotations = get_args(annotation)
    return base, next((each for each in annotations if isinstance(each, msgspec.Meta)), msgspec.Meta())


def _is_simple(annotation: Any) -> bool:
    return annotation in (str, int, float, bool) or get_origin(annotation) is Literal


def reject_repeated(data: bytes | str) -> None:
    """Raise if an object in `data`, which must be JSON, has two members with one name.

    Raises:
        InvalidRecordError: it names the member and its values; numbers keep their digits.
    """
    _read_members(data, _unique)


def _read_members(data: bytes | str, make_object: Callable[[list[tuple[str, object]]], Any]) -> Any:
    import json  # noqa: PLC0415 - only broken records need it

    return json.loads(data, object_pairs_hook=make_object, parse_int=str, parse_float=str)


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    found = _Members(members)
    for name in found.repeated():
        raise found.error(name)
    return found


class _Members(dict[str, object]):
    """An object of JSON that knows all of its members, also those of one name."""

    def __init__(self, members: list[tuple[str, object]]) -> None:
        super().__init__(members)
        self._all = members

    def repeated(self) -> list[str]:
        """Return the names that occur more than once."""
        if len(self) == len(self._all):
            return []
        counts = Counter(name for name, _ in self._all)
        return [name for name, count in counts.items() if count > 1]

    def error(self, name: str) -> InvalidRecordError:
        values = [value for each, value in self._all if each == name]
        return InvalidRecordError("repeated_field", name, values, "must occur once")


def _repeated_error(source: object, steps: list[tuple[str, str]], schema: Any) -> InvalidRecordError | None:
    """Return the error of a record with a repeated member, if that explains why the record is invalid.

    A decoder checks each of the members with one name, and the value that broke the rule may be any of them. So a
    member on the way to that value counts, and every member if `schema` allows no repeated one.
    """
    if not isinstance(source, (bytes, str)):
        return None
    try:
        found = _read_members(source, _Members)
    except (ValueError, RecursionError):  # not JSON after the rule was broken, or nested too deeply
        return None
    if isinstance(found, _Members) and expected_commas(schema) is not None and (names := found.repeated()):
        return found.error(names[0])
    for name, index in steps:
        if isinstance(found, _Members):
            if name in found.repeated():
                return found.error(name)
            found = found.get(name)
        elif isinstance(found, list) and index and int(index) < len(found):
            found = found[int(index)]
    return None


# --- msgspec's messages ---------------------------------------------------------------------------

# msgspec reports a broken rule as text only. These patterns match the sentences of its versions 0.18 to 0.22.
_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_RANGE = re.compile(r"(of length|[<>]=?|out of range|multiple of)", re.IGNORECASE)


def invalid_record_error(error: Exception, source: object, schema: Any = None) -> InvalidRecordError:
    """Translate msgspec's `error` about `source`, which is the bytes or the mapping that was converted.

    It works for any msgspec type. With `schema`, a struct, the rule of a choice lists the allowed values. If the struct
    allows no repeated member, one is reported before all other errors.
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
    if repeated := _repeated_error(source, steps, schema):
        return repeated
    value = None if code == "missing_field" else _look_up(source, steps)
    choices = _choices(schema, field) if code == "not_allowed" else ()
    return InvalidRecordError(code, field, value, f"must be one of {', '.join(choices)}" if choices else _plain(rule))


def _classify(rule: str) -> tuple[str, str | None]:
    """Return the reason code, and the field if the sentence itself names one."""
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
    except (msgspec.DecodeError, LookupError, RecursionError, TypeError, UnicodeDecodeError):
        return "not readable"  # such as a number that no float can hold, or a list in a list, ten thousand times
    return value


def _choices(schema: Any, name: str | None) -> tuple[str, ...]:
    if not _is_struct(schema):
        return ()
    annotations = [field.type for field in fields_of(schema) if field.name == name]
    return tuple(str(choice) for annotation in annotations for choice in get_args(annotation))


def _plain(sentence: str) -> str:
    sentence = sentence.replace("`", "").replace("Expected", "must be")
    for theirs, ours in (("Object missing required", "the record lacks the"), ("Object contains", "the schema has no")):
        sentence = sentence.replace(theirs, ours)
    return sentence.replace("no unknown field", "no field")
