"""Integers of at most 64 bits, in objects of every format.

JSON has integers of any length, and so have the lines of an object. But a column of DuckDB, Athena or Parquet has 64
bits: DuckDB would read the whole column as doubles, and Athena would fail. A struct's fields become columns, so an
integer of more bits in one of them breaks the schema, whatever the format. A struct whose own rules limit its integers
pays nothing for this; any other pays for a function in Python, about 0.4 µs a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect

from truckstream.column_types import values_of
from truckstream.errors import InvalidRecordError
from truckstream.schema_errors import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["limit_integers"]

_INT64: Final = range(-(2**63), 2**63)


def limit_integers(decode: Callable[[bytes], Any], schema: Any) -> Callable[[bytes], Any]:
    """Return a function that decodes a record and raises if a field's integer has more than 64 bits.

    It is `decode` itself if `schema` has no such field.
    """
    if not (isinstance(schema, type) and issubclass(schema, msgspec.Struct)):
        return decode
    fields = fields_of(schema)
    kinds = inspect.multi_type_info([each.type for each in fields])
    unlimited = [(each.name, each.encode_name) for each, kind in zip(fields, kinds, strict=True) if _is_unlimited(kind)]
    if not unlimited:
        return decode

    def check(data: bytes) -> Any:
        record = decode(data)
        for attribute, name in unlimited:
            value = getattr(record, attribute)
            if type(value) is int and value not in _INT64:
                raise InvalidRecordError("out_of_range", name, value, "must fit the 64 bits of a column")
        return record

    return check


def _is_unlimited(kind: inspect.Type) -> bool:
    """True for an integer, also one that may be None or UNSET, whose own rules allow more than 64 bits."""
    values = values_of(kind)
    if len(values) != 1 or not isinstance(kind := values[0], inspect.IntType):
        return False
    return (kind.ge is None and kind.gt is None) or (kind.le is None and kind.lt is None)
