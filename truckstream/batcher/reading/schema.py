"""What a valid record is: a msgspec type, a callable that raises, or nothing at all.

Each becomes a `Schema`: one function over a record's bytes that raises if they are wrong, and one that turns what it
raised into a reason. The first is the hot path, so for a msgspec type it is the C decoder itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.batcher.formats.json_lines import NDJSON, JsonFormat
from truckstream.errors import InvalidArgumentError, InvalidRecordError
from truckstream.schema_errors import expected_commas, invalid_record_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.batcher.formats.json_lines import Format

__all__ = ["Schema", "read_schema"]


@dataclass(frozen=True, slots=True)
class Schema:
    """How records are judged."""

    #: Raises on a record that breaks a rule; None if every record is good.
    check: Callable[[bytes], object] | None
    #: What the exception that `check` raised says of the record.
    explain: Callable[[Exception, bytes], InvalidRecordError]
    #: True if valid records are JSON: then they are UTF-8, and whitespace between tokens can be left out.
    json: bool
    #: The commas of a record in which no name is repeated and no string has any; None if that cannot be told.
    commas: int | None = None


def read_schema(schema: Any, format_: Format = NDJSON) -> Schema:
    """The schema behind `Batcher(schema=…)`, for objects of a format.

    Raises:
        InvalidArgumentError: it is neither a type that msgspec decodes, nor callable, nor None.
    """
    if schema is None:
        return _foreign(None, format_)
    if callable(schema) and not isinstance(schema, type) and not hasattr(schema, "__origin__"):
        if iscoroutinefunction(schema):
            raise InvalidArgumentError("schema", schema, "a schema's callable must not be async")
        return _foreign(schema, format_)
    try:
        decoder = msgspec.json.Decoder(schema)
        _refuse_foreign_class(schema)
    except (TypeError, ValueError) as error:
        rule = f"a schema is a type that msgspec decodes, a callable or None ({error})"
        raise InvalidArgumentError("schema", schema, rule) from error
    check = format_.check or decoder.decode
    return Schema(
        check, lambda error, data: _explain_msgspec(error, data, schema), json=True, commas=expected_commas(schema)
    )


def _refuse_foreign_class(schema: Any) -> None:
    """Any class is well with msgspec, which then refuses every record, because no JSON is an instance of it."""
    if schema is object or (isinstance(schema, type) and issubclass(schema, msgspec.Struct)):
        return
    from msgspec import inspect  # noqa: PLC0415 - only who has such a schema pays for it

    if isinstance(inspect.type_info(schema), inspect.CustomType):
        raise TypeError("JSON holds no objects of this class; give the function that reads them, such as a classmethod")


def _foreign(check: Callable[[bytes], object] | None, format_: Format) -> Schema:
    """Of records that nobody has said to be JSON. In an array of JSON they must be."""
    if not (isinstance(format_, JsonFormat) and format_.array):
        return Schema(check, _explain_foreign, json=False)

    def check_json(data: bytes) -> None:
        if check is not None:
            check(data)
        _decode_any(data)

    return Schema(check_json, _explain_foreign, json=True)


_decode_any: Final = msgspec.json.Decoder().decode


def _explain_msgspec(error: Exception, data: bytes, schema: Any) -> InvalidRecordError:
    if not isinstance(error, (msgspec.DecodeError, UnicodeError, RecursionError)):
        return _explain_foreign(error, data)  # of a `__post_init__`, or of a format
    try:
        return invalid_record_error(error, data, schema)
    except RecursionError:  # the value is looked for in a document that is too deep to be read as a whole
        return invalid_record_error(error, {}, schema)


def _explain_foreign(error: Exception, data: bytes) -> InvalidRecordError:
    if isinstance(error, InvalidRecordError):
        return error
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        return invalid_record_error(error, data)
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception whose text fails must not fail the delivery
        text = "it has no text"
    return InvalidRecordError("schema", None, data, f"{type(error).__name__}: {text}" if text else type(error).__name__)
