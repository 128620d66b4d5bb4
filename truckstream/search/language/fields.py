"""The fields that a query may name, and the kinds of their values.

They come from the schema of the records. A field of another kind, such as a list, is stored and shown, but a query
cannot name it: OpenSearch and DuckDB would not find the same records.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal

from msgspec import inspect

from truckstream.batcher.formats.stream_fields import ARRIVAL, SEQUENCE, SHARD, SUBSEQUENCE
from truckstream.column_types import choose_by_type, column_fields, values_of
from truckstream.errors import InvalidArgumentError

__all__ = ["STREAM_FIELDS", "Kind", "SearchField", "all_names", "nearest", "search_fields"]

Kind = Literal["text", "whole", "number", "boolean"]

_KINDS: Final[dict[type[inspect.Type], Kind]] = {
    inspect.StrType: "text",
    inspect.LiteralType: "text",
    inspect.EnumType: "text",
    inspect.DateTimeType: "text",
    inspect.DateType: "text",
    inspect.TimeType: "text",
    inspect.UUIDType: "text",
    inspect.DecimalType: "text",
    inspect.IntType: "whole",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
}


@dataclass(frozen=True, slots=True)
class SearchField:
    """A field that a query may name."""

    name: str
    kind: Kind
    #: The values that the schema allows; empty if any value of the kind may occur.
    choices: tuple[str, ...] = ()
    #: Whether words without a field are looked for in it.
    is_free: bool = False


#: Where a record is in the stream. The time of arrival has options of its own instead.
STREAM_FIELDS: Final = (
    SearchField(SEQUENCE, "text"),
    SearchField(SUBSEQUENCE, "whole"),
    SearchField(SHARD, "text"),
)


def search_fields(schema: Any) -> dict[str, SearchField]:
    """Return the fields that a query may name by name.

    Raises:
        InvalidArgumentError: the schema has no fields, as a function or None.
    """
    own = {field.name: field for field in _own_fields(schema)}
    return own | {field.name: field for field in STREAM_FIELDS if field.name not in own}


def all_names(schema: Any) -> tuple[str, ...]:
    """Return the names of a record's fields in their order, then those of its place in the stream."""
    fields = column_fields(schema) or ()
    return tuple(dict.fromkeys([*(field.encode_name for field in fields), SEQUENCE, SUBSEQUENCE, SHARD, ARRIVAL]))


def nearest(name: str, names: tuple[str, ...]) -> str:
    """Return a question that suggests the name that was probably meant; empty if none is near."""
    by_lower = {each.lower(): each for each in names}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return f" Did you mean {by_lower[close[0]]}?" if close else ""


def _own_fields(schema: Any) -> list[SearchField]:
    fields = column_fields(schema)
    if fields is None:
        raise InvalidArgumentError("schema", schema, "must be a type with named fields, such as a msgspec.Struct")
    return [found for field in fields if (found := _search_field(field)) is not None]


def _search_field(field: inspect.Field) -> SearchField | None:
    kind = choose_by_type(field, _KINDS, None)
    if kind != "text":
        return None if kind is None else SearchField(field.encode_name, kind)
    [value] = values_of(field.type)
    choices = _choices(value)
    if choices is None:
        return None
    return SearchField(field.encode_name, kind, choices, is_free=True)


def _choices(value: inspect.Type) -> tuple[str, ...] | None:
    """Return the values that a type of texts has; empty for any, None if some are no texts."""
    choices: tuple[object, ...] = ()
    if isinstance(value, inspect.LiteralType):
        choices = value.values
    elif isinstance(value, inspect.EnumType):
        choices = tuple(member.value for member in value.cls)
    texts = tuple(each for each in choices if isinstance(each, str))
    return texts if len(texts) == len(choices) else None
