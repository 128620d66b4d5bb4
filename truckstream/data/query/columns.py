"""The columns of the tables, with DuckDB's names of the types.

| the field's type | its column |
|---|---|
| str, and any other: the value's text, or its JSON | VARCHAR |
| int | BIGINT |
| float | DOUBLE |
| bool | BOOLEAN |

These are the columns of Parquet objects and of the table in Athena. The fields of `add_stream_fields` follow, which are
null for records that were stored without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import inspect

from truckstream.batcher.formats.stream_fields import ARRIVAL, SEQUENCE, SHARD, SUBSEQUENCE
from truckstream.column_types import choose_by_type, column_fields
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["GIVEN_UP_COLUMNS", "REJECTED_COLUMNS", "SqlColumn", "record_columns"]


class SqlColumn(NamedTuple):
    """A column and its type."""

    name: str
    type: str


def _texts(*names: str) -> tuple[SqlColumn, ...]:
    return tuple(SqlColumn(name, "VARCHAR") for name in names)


STREAM_COLUMNS: Final = (
    SqlColumn(SEQUENCE, "VARCHAR"),
    SqlColumn(SUBSEQUENCE, "BIGINT"),
    SqlColumn(SHARD, "VARCHAR"),
    SqlColumn(ARRIVAL, "TIMESTAMP"),
)

#: The fields of the lines that `batcher/reading/rejected_record.py` writes.
REJECTED_COLUMNS: Final = (
    *_texts("reason", "field", "value", "rule", "stream", "shard", "sequence_number"),
    SqlColumn("subsequence_number", "BIGINT"),
    *_texts("partition_key", "explicit_hash_key"),
    SqlColumn("arrival", "DOUBLE"),
    *_texts("data", "data_base64", "data_undecoded"),
)

#: The attributes of `GivenUpBatch`, without its records.
GIVEN_UP_COLUMNS: Final = (
    *_texts("key", "stream", "shard", "first_sequence_number", "last_sequence_number"),
    SqlColumn("size", "BIGINT"),
    *_texts("condition"),
    SqlColumn("first_arrival", "TIMESTAMP"),
    SqlColumn("last_arrival", "TIMESTAMP"),
)

_TYPES: Final[dict[type[inspect.Type], str]] = {
    inspect.IntType: "BIGINT",
    inspect.FloatType: "DOUBLE",
    inspect.BoolType: "BOOLEAN",
}


def record_columns(schema: Any) -> tuple[SqlColumn, ...] | None:
    """Return the columns of a schema; None if it has no fields, such as a function or None.

    Raises:
        InvalidArgumentError: two fields differ in their case only, which DuckDB takes for one column.
    """
    fields = column_fields(schema)
    if fields is None:
        return None
    columns = [SqlColumn(field.encode_name, choose_by_type(field, _TYPES, "VARCHAR")) for field in fields]
    _refuse_equal_names(columns, schema)
    names = {column.name.lower() for column in columns}
    return (*columns, *(column for column in STREAM_COLUMNS if column.name not in names))


def _refuse_equal_names(columns: Iterable[SqlColumn], schema: Any) -> None:
    seen: dict[str, str] = {}
    for name, _ in columns:
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            rule = f"has the fields {other!r} and {name!r}, which are one column in SQL: pass None, or another schema"
            raise InvalidArgumentError("schema", schema, rule)
