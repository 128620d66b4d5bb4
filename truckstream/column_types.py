"""The fields of a schema and the types of their values, which decide its columns in Parquet, Athena and DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import inspect

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["choose_by_type", "column_fields", "options_of", "values_of"]

_T = TypeVar("_T")


def column_fields(schema: Any) -> tuple[inspect.Field, ...] | None:
    """Return the fields of a schema that become columns; None if it has no names for them, as a function or None."""
    try:
        kind = inspect.type_info(schema)
    except (TypeError, ValueError):
        return None
    if getattr(kind, "array_like", False) or not getattr(kind, "fields", ()):
        return None
    return kind.fields  # type: ignore[attr-defined, no-any-return]


def options_of(kind: inspect.Type) -> list[inspect.Type]:
    """Return the types that a value may have, that of None included."""
    kind = _bare(kind)
    return [_bare(each) for each in kind.types] if isinstance(kind, inspect.UnionType) else [kind]


def values_of(kind: inspect.Type) -> list[inspect.Type]:
    """Return the types that a value may have besides None."""
    return [each for each in options_of(kind) if not isinstance(each, inspect.NoneType)]


def choose_by_type(field: inspect.Field, choices: Mapping[type[inspect.Type], _T], other: _T) -> _T:
    """Return the choice for a field's type; `other` if there is none, or if its values may have several types."""
    values = values_of(field.type)
    return choices.get(type(values[0]), other) if len(values) == 1 else other


def _bare(kind: inspect.Type) -> inspect.Type:
    """Return a type without the metadata around it."""
    return _bare(kind.type) if isinstance(kind, inspect.Metadata) else kind
