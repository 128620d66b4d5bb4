"""Parquet objects: a typed column for each field of the schema, and two columns that identify the Kinesis record.

| the field's type | its column |
|---|---|
| str, a choice or an enumeration of strings | string |
| int | int64 |
| float | double |
| bool | boolean |
| any other | string: the value's text, or its JSON |

A field that may be None or UNSET becomes a nullable column. `kinesis_sequence_number` and `kinesis_subsequence_number`
follow the fields, and with `add_stream_fields` the others of `stream_fields.py`. Queries find duplicates and gaps with
them, and the batcher reads from the first two, and from the fields, which records a stored object holds.

A row holds the values that the schema's decoder returned, so it shows what the check saw. Integers of more than 64 bits
are rejected in every format (`reading/integers.py`). arro3 writes the files: it loads in 4 ms and takes 33 MB.

arro3's reader ends the process on some broken files ("panic in a function that cannot unwind", arro3 0.9). So every
file contains a seal, a digest of all its other bytes, and only files with a correct seal are read. The seal stands
before the footer, where Parquet allows bytes that the footer does not mention:
https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec
from msgspec import inspect

from truckstream.batcher.formats.stream_fields import ARRIVAL, SEQUENCE, SHARD, SUBSEQUENCE, milliseconds, refuse_taken
from truckstream.column_types import options_of, values_of
from truckstream.errors import ConfigurationError, InvalidArgumentError

try:
    from arro3 import core
    from arro3.io import read_parquet, write_parquet
except ImportError as _error:
    raise ConfigurationError(
        "format", "is 'parquet', and arro3 is not installed", "Install truckstream[parquet]."
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from truckstream.batcher.formats.stream_fields import Places

__all__ = ["STREAM_FIELDS", "Column", "ParquetFormat", "columns_of", "read_sealed"]

#: The columns after those of the schema's fields. Every object has the first two.
STREAM_FIELDS: Final = (
    core.Field(SEQUENCE, core.DataType.string(), nullable=False),
    core.Field(SUBSEQUENCE, core.DataType.int64(), nullable=True),
    core.Field(SHARD, core.DataType.string(), nullable=False),
    core.Field(ARRIVAL, core.DataType.timestamp("ms"), nullable=False),
)

#: The default level of zstd.
_COMPRESSION: Final = "zstd(3)"

#: The end of every file: the footer's length, and the mark with which the file also begins.
_END: Final = struct.Struct("<I4s")
_MARK: Final = b"PAR1"

_SEAL_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the schema and its column."""

    #: The attribute of the struct; `name` is the field's name in JSON and the column's name.
    attribute: str
    name: str
    type: core.DataType
    nullable: bool
    #: Converts a decoded value to the column's type; None if no conversion is needed.
    convert: Callable[[Any], Any] | None = None

    def array(self, values: list[Any]) -> core.Array:
        """Return decoded values of the field as an array of Arrow."""
        if self.nullable:
            values = [None if value is msgspec.UNSET else value for value in values]
        if self.convert is not None:
            values = [None if value is None else self.convert(value) for value in values]
        return core.Array(values, self.type)


class ParquetFormat:
    """Writes one row for each record."""

    suffix = ".parquet"
    layout = "-parquet"
    slow = True

    def __init__(self, schema: Any, *, add_stream_fields: bool = False) -> None:
        if not (isinstance(schema, type) and issubclass(schema, msgspec.Struct)):
            rule = "must be a msgspec.Struct: Parquet takes its columns from the fields"
            raise InvalidArgumentError("schema", schema, rule)
        try:
            self._decode = msgspec.json.Decoder(schema).decode
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError("schema", schema, f"must be a type that msgspec decodes ({error})") from error
        self._columns = columns_of(schema)
        self._stream_fields = STREAM_FIELDS if add_stream_fields else STREAM_FIELDS[:2]
        refuse_taken([column.name for column in self._columns], schema, [field.name for field in self._stream_fields])
        #: The columns that show whether a stored row is a certain record.
        self._identifying = [*(column.name for column in self._columns), SEQUENCE, SUBSEQUENCE]
        #: The columns of the schema's fields.
        self.record_fields = [core.Field(each.name, each.type, nullable=each.nullable) for each in self._columns]
        self._schema = core.Schema([*self.record_fields, *self._stream_fields])

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": "application/vnd.apache.parquet"}

    def encode(self, lines: Sequence[bytes], places: Places) -> bytes:
        file = io.BytesIO()
        write_parquet(self._table(lines, places), file, compression=_COMPRESSION)
        whole = file.getvalue()
        footer = _footer_of(whole)
        return whole[:footer] + _seal(whole) + whole[footer:]

    def record_arrays(self, lines: Iterable[bytes]) -> list[core.Array]:
        """Return the values of the columns `record_fields`.

        Raises:
            ValueError: a line is not a record of the schema.
        """
        records = [self._decode(line) for line in lines]
        return [column.array([getattr(record, column.attribute) for record in records]) for column in self._columns]

    def _table(self, lines: Sequence[bytes], places: Places) -> core.Table:
        values: dict[str, list[Any]] = {
            SEQUENCE: places.sequences,
            SUBSEQUENCE: places.subsequences or [None] * len(lines),
            SHARD: [places.shard] * len(lines),
            ARRIVAL: list(map(milliseconds, places.arrivals)),
        }
        arrays = self.record_arrays(lines)
        arrays += [_stream_column(field, values[field.name]) for field in self._stream_fields]
        return core.Table.from_arrays(arrays, schema=self._schema)

    def text(self, lines: Sequence[bytes], places: Places) -> bytes:
        """Return the values of the rows. Numbers alone would not do: a stream may repeat them."""
        return self._text(self._table(lines, places))

    def read_text(self, content: bytes) -> bytes | None:
        table = read_sealed(content)
        if table is None or not set(self._identifying) <= set(table.column_names):
            return None
        return self._text(table)

    def _text(self, table: core.Table) -> bytes:
        rows = zip(*(table.column(name).to_pylist() for name in self._identifying), strict=True)
        return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def read_sealed(content: bytes) -> core.Table | None:
    """Return the rows of a stored object; None if the batcher did not write it, or if it was changed since."""
    footer = _footer_of(content)
    seal = content[footer - _SEAL_BYTES : footer]
    whole = content[: footer - _SEAL_BYTES] + content[footer:]
    if footer < _SEAL_BYTES or seal != _seal(whole):
        return None
    return read_parquet(io.BytesIO(whole)).read_all()


def _stream_column(field: core.Field, values: list[Any]) -> core.Array:
    if field.name == ARRIVAL:  # arro3 makes no timestamps of Python's values
        return core.Array(values, core.DataType.int64()).cast(field.type)
    return core.Array(values, field.type)


def _footer_of(content: bytes) -> int:
    """Return the position of a file's footer; 0 or less if this is not a Parquet file."""
    if len(content) < _END.size:
        return 0
    length, mark = _END.unpack_from(content, len(content) - _END.size)
    return len(content) - _END.size - length if mark == _MARK else 0


def _seal(whole: bytes) -> bytes:
    return blake2b(whole, digest_size=_SEAL_BYTES).digest()


# --- Fields to columns --------------------------------------------------------------------------


def _refuse_raw(kind: inspect.Type, schema: Any) -> None:
    """Raise if a value of this type may contain a msgspec.Raw, which cannot be converted to a column's text."""
    waiting = [kind]
    seen: set[int] = set()  # a type may contain itself
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, inspect.RawType):
            rule = "must not have a msgspec.Raw with format 'parquet': declare the type of its value"
            raise InvalidArgumentError("schema", schema, rule)
        if id(kind) not in seen:
            seen.add(id(kind))
            waiting += _parts(kind)


def _parts(kind: inspect.Type) -> list[inspect.Type]:
    """Return the types of which a type consists, such as the items of a list."""
    parts: list[Any] = []
    for value in msgspec.structs.astuple(kind):
        parts += value if isinstance(value, tuple) else [value]
    return [part.type if isinstance(part, inspect.Field) else part for part in parts if _is_part(part)]


def _is_part(value: object) -> bool:
    return isinstance(value, (inspect.Type, inspect.Field))


def columns_of(schema: type[msgspec.Struct]) -> list[Column]:
    """Return the columns of the schema's fields, in their order."""
    # inspect leaves UnsetType out of a union.
    unset = {each.name for each in msgspec.structs.fields(schema) if msgspec.UnsetType in get_args(each.type)}
    kind = inspect.type_info(schema)
    _refuse_raw(kind, schema)
    fields = kind.fields  # type: ignore[attr-defined]
    return [_column(field, may_be_unset=field.name in unset) for field in fields]


def _column(field: inspect.Field, *, may_be_unset: bool) -> Column:
    options, values = options_of(field.type), values_of(field.type)
    column_type, convert = _column_of(values[0]) if len(values) == 1 else (core.DataType.string(), _as_text)
    nullable = may_be_unset or len(values) < len(options) or isinstance(options[0], inspect.AnyType)
    return Column(field.name, field.encode_name, column_type, nullable, convert)


def _column_of(kind: inspect.Type) -> tuple[core.DataType, Callable[[Any], Any] | None]:
    """Return the column's type, and the function that converts its values."""
    simple = _SIMPLE.get(type(kind))
    if simple is not None:
        return simple(), None
    if isinstance(kind, inspect.LiteralType) and all(isinstance(value, str) for value in kind.values):
        return core.DataType.string(), None
    return core.DataType.string(), _as_text


_SIMPLE: Final[dict[type[inspect.Type], Callable[[], core.DataType]]] = {
    inspect.StrType: core.DataType.string,
    inspect.IntType: core.DataType.int64,
    inspect.FloatType: core.DataType.float64,
    inspect.BoolType: core.DataType.bool,
}


def _as_text(value: object) -> str:
    plain = msgspec.to_builtins(value)
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()
