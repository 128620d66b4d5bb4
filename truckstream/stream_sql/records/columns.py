"""Decoded records as columns of Arrow: those of Parquet objects, and so of `truckstream query`, which a query reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.batcher.formats.stream_fields import ARRIVAL, SEQUENCE, SHARD, SUBSEQUENCE, milliseconds
from truckstream.data.query.columns import record_columns
from truckstream.errors import ConfigurationError, InvalidArgumentError

try:
    from arro3 import core

    from truckstream.batcher.formats.parquet import columns_of
except (ModuleNotFoundError, ConfigurationError) as _error:
    raise ConfigurationError(
        "sql", "needs the package arro3", "Install it with: pip install 'truckstream[sql]'."
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from truckstream.data.query.columns import SqlColumn
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["ColumnBuilder", "columns_of_schema"]


def columns_of_schema(schema: Any) -> tuple[SqlColumn, ...]:
    """Return the columns of `records`, with their names and types in `truckstream query`.

    Raises:
        InvalidArgumentError: the schema is no msgspec.Struct, or two of its fields are one column in SQL.
    """
    columns = record_columns(schema) if isinstance(schema, type) and issubclass(schema, msgspec.Struct) else None
    if columns is None:
        raise InvalidArgumentError("schema", schema, "must be a msgspec.Struct: its fields become the columns")
    return columns


class ColumnBuilder:
    """Builds batches of the columns that a query reads.

    Args:
        schema: the msgspec.Struct of the records.
        names: the columns to build.
    """

    def __init__(self, schema: type[msgspec.Struct], names: Collection[str]) -> None:
        own = [column for column in columns_of(schema) if column.name in names]
        self._own = own
        taken = {column.name for column in own}
        self._stream = [name for name in _STREAM_COLUMNS if name in names and name not in taken]
        fields = [core.Field(column.name, column.type, nullable=True) for column in own]
        fields += [core.Field(name, _STREAM_COLUMNS[name][0](), nullable=True) for name in self._stream]
        self._arrow_schema = core.Schema(fields)

    def build(self, values: Sequence[Any], records: Sequence[ShardRecord]) -> core.RecordBatch:
        """Return a batch of these records, given as decoded objects and as records of the stream."""
        arrays = [column.array([getattr(value, column.attribute) for value in values]) for column in self._own]
        arrays += [_STREAM_COLUMNS[name][1](records) for name in self._stream]
        return core.RecordBatch.from_arrays(arrays, schema=self._arrow_schema)


def _arrivals(records: Sequence[ShardRecord]) -> core.Array:
    values = [milliseconds(record.arrival) for record in records]
    return core.Array(values, core.DataType.int64()).cast(core.DataType.timestamp("ms"))


#: The columns of the stream, with their types and the functions that make them.
_STREAM_COLUMNS: Final[dict[str, tuple[Callable[[], core.DataType], Callable[[Sequence[ShardRecord]], core.Array]]]] = {
    SEQUENCE: (
        core.DataType.string,
        lambda records: core.Array([record.sequence_number for record in records], core.DataType.string()),
    ),
    SUBSEQUENCE: (
        core.DataType.int64,
        lambda records: core.Array([record.subsequence_number for record in records], core.DataType.int64()),
    ),
    SHARD: (
        core.DataType.string,
        lambda records: core.Array([record.shard_id for record in records], core.DataType.string()),
    ),
    ARRIVAL: (lambda: core.DataType.timestamp("ms"), _arrivals),
}
