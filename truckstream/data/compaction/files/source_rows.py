"""Read the records of a source as rows with the columns of a compacted file.

The columns are those of the batcher's Parquet objects: one for each field of the schema, and the four stream fields,
which are null where the source has none. Lines are decoded by the batcher's own code, so that a value is the same
whether its object was stored as JSON or as Parquet. DuckDB's reader of JSON, which was tried, is a quarter faster, but
reads other values in places: defaults of missing fields, choices between types, nested values as text.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
from arro3 import core

from truckstream.batcher.formats.compression import codec_for
from truckstream.batcher.formats.json_lines import JsonFormat
from truckstream.batcher.formats.parquet import STREAM_FIELDS, ParquetFormat, read_sealed
from truckstream.batcher.formats.stream_fields import ARRIVAL, SEQUENCE, SHARD, SUBSEQUENCE, refuse_taken
from truckstream.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BrokenSourceError", "SourceRows"]

#: The beginning of an object of the format "json". No line of NDJSON is a bracket alone.
_ARRAY: Final = b"[\n"

_EPOCH: Final = datetime.fromtimestamp(0, UTC)

#: Between a record's own fields and those that the batcher has added. No string of JSON contains these bytes, because a
#: quotation mark in it is escaped.
_ADDED: Final = b'"%b":"' % SEQUENCE.encode()


class BrokenSourceError(UsageError):
    """The records of a source cannot be read."""


class _StreamFields(msgspec.Struct, forbid_unknown_fields=True):
    sequence: str = msgspec.field(name=SEQUENCE)
    subsequence: int | None = msgspec.field(name=SUBSEQUENCE)
    shard: str = msgspec.field(name=SHARD)
    arrival: str = msgspec.field(name=ARRIVAL)


class SourceRows:
    """Reads sources whose records have a schema.

    Raises:
        InvalidArgumentError: the schema has no columns: it must be a msgspec.Struct.
        ConfigurationError: arro3 is not installed.
    """

    def __init__(self, schema: Any) -> None:
        self._format = ParquetFormat(schema)
        stream_fields = [field.with_nullable(nullable=True) for field in STREAM_FIELDS]
        refuse_taken([field.name for field in self._format.record_fields], schema)
        self.schema = core.Schema([*self._format.record_fields, *stream_fields])
        self._decode_added = msgspec.json.Decoder(_StreamFields).decode

    def read(self, suffix: str, content: bytes, *, records: int | None = None) -> core.Table:
        """Return the rows of an object whose key ends with `suffix`, in their order.

        Raises:
            BrokenSourceError: the object is damaged, its records have another schema, or it has not as many `records`
                as it should have.
        """
        table = self._from_parquet(content) if suffix == ".parquet" else self._from_json(suffix, content)
        if records is not None and table.num_rows != records:
            raise BrokenSourceError(f"it has {table.num_rows:,} records, and {records:,} by its metadata")
        return table

    # --- Parquet --------------------------------------------------------------------------------------

    def _from_parquet(self, content: bytes) -> core.Table:
        table = read_sealed(content)
        if table is None:
            raise BrokenSourceError("its content was changed or cut off: its seal does not fit")
        if unknown := set(table.column_names) - set(self.schema.names):
            raise BrokenSourceError(f"it has the column {min(unknown)}, and the schema has no such field")
        columns = [self._column(table, field) for field in self._fields()]
        return core.Table.from_arrays(columns, schema=self.schema)

    def _fields(self) -> list[core.Field]:
        return [self.schema.field(name) for name in self.schema.names]

    def _column(self, table: core.Table, field: core.Field) -> Any:
        if field.name not in table.column_names:
            if not field.nullable:
                raise BrokenSourceError(f"it has no column {field.name}, and the schema requires one")
            return _array([None] * table.num_rows, field)
        column = table.column(field.name)
        if column.type != field.type:
            types = f"its column {field.name} is {_name(column.type)}, and the schema's is {_name(field.type)}"
            raise BrokenSourceError(types)
        return column.combine_chunks()

    # --- JSON -----------------------------------------------------------------------------------------

    def _from_json(self, suffix: str, content: bytes) -> core.Table:
        lines = _lines(suffix, content)
        added: Iterable[_StreamFields | None] = [None] * len(lines)
        try:
            if _ADDED in lines[0]:
                lines, added = self._without_added(lines)
            arrays = self._format.record_arrays(lines)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise BrokenSourceError(f"a record does not fit the schema: {error}") from error
        columns = zip(*map(_values, added), strict=True)
        arrays += [_array(values, field) for values, field in zip(columns, STREAM_FIELDS, strict=True)]
        return core.Table.from_arrays(arrays, schema=self.schema)

    def _without_added(self, lines: Sequence[bytes]) -> tuple[list[bytes], list[_StreamFields]]:
        """Return the records as they were put, and the stream fields: the reverse of `stream_fields.add_fields`."""
        own, added = [], []
        for line in lines:
            at = line.rindex(_ADDED)
            own.append(line[:at].removesuffix(b",") + b"}")
            added.append(self._decode_added(b"{" + line[at:]))
        return own, added


def _name(kind: core.DataType) -> str:
    return repr(kind).partition("<")[2].strip().removesuffix(">")


def _lines(suffix: str, content: bytes) -> list[bytes]:
    codec = None if suffix == ".json" else codec_for("gzip" if suffix == ".json.gz" else "zstd")
    text = JsonFormat(codec=codec).read_text(content)
    if text is None:
        raise BrokenSourceError(f"its content is no complete {suffix} file")
    if text.startswith(_ARRAY):
        text = JsonFormat(array=True).read_text(text)
    if not text or not text.endswith(b"\n"):
        raise BrokenSourceError("it is empty" if text == b"" else "it was cut off: its end is missing")
    return text[:-1].split(b"\n")


def _values(added: _StreamFields | None) -> tuple[Any, ...]:
    return (None, None, None, None) if added is None else msgspec.structs.astuple(added)


def _array(values: Sequence[Any], field: core.Field) -> core.Array:
    """Return the values of a column. arro3 makes no timestamps of Python's values."""
    if field.name != ARRIVAL:
        return core.Array(values, field.type)
    return core.Array(list(map(_milliseconds, values)), core.DataType.int64()).cast(field.type)


def _milliseconds(arrival: str | None) -> int | None:
    """Return a time of arrival, as lines have it, in milliseconds since the epoch."""
    if arrival is None:
        return None
    return (datetime.fromisoformat(arrival).replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
