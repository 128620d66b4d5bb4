"""The schema of valid records: a msgspec type, a callable that raises, or None.

Each of them becomes a `Schema` with two functions: one takes a record's bytes and raises if they are invalid, the other
turns the exception into a reason. The first is on the hot path, so for a msgspec type it is the C decoder itself.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from truckstream.batcher.formats.json_lines import NDJSON, JsonFormat
from truckstream.batcher.reading.integers import limit_integers
from truckstream.errors import InvalidArgumentError, InvalidRecordError
from truckstream.schema_errors import expected_commas, invalid_record_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.batcher.formats.format import Format

__all__ = ["Schema", "read_schema"]


class Schema(NamedTuple):
    """How records are checked."""

    #: Raises on an invalid record; None if every record is valid.
    check: Callable[[bytes], object] | None
    #: Converts an exception of `check` to the reason why the record is rejected.
    explain: Callable[[Exception, bytes], InvalidRecordError]
    #: True if valid records are JSON: then they are UTF-8, and whitespace between tokens may be removed.
    json: bool
    #: The commas of a record that repeats no name and has no comma in a string; None if records differ in this.
    commas: int | None = None


def read_schema(schema: Any, format_: Format = NDJSON) -> Schema:
    """Return the schema behind `Batcher(schema=…)`, for objects of a format.

    Raises:
        InvalidArgumentError: `schema` is neither a type that msgspec decodes, nor callable, nor None.
    """
    if schema is None:
        return _callable_schema(None, format_)
    if callable(schema) and not isinstance(schema, type) and not hasattr(schema, "__origin__"):
        if iscoroutinefunction(schema):
            raise InvalidArgumentError("schema", schema, "a schema's callable must not be async")
        return _callable_schema(schema, format_)
    try:
        decoder = msgspec.json.Decoder(schema)
        _refuse_unknown_class(schema)
    except (TypeError, ValueError) as error:
        rule = f"a schema is a type that msgspec decodes, a callable or None ({error})"
        raise InvalidArgumentError("schema", schema, rule) from error
    return Schema(
        limit_integers(decoder.decode, schema),
        lambda error, data: _explain_msgspec(error, data, schema),
        json=True,
        commas=expected_commas(schema),
    )


def _refuse_unknown_class(schema: Any) -> None:
    """Raise on a class that JSON cannot represent. msgspec accepts any class and would then reject every record."""
    if schema is object or (isinstance(schema, type) and issubclass(schema, msgspec.Struct)):
        return
    from msgspec import inspect  # noqa: PLC0415 - needed for such schemas only

    if isinstance(inspect.type_info(schema), inspect.CustomType):
        raise TypeError("JSON has no objects of this class; pass a function that reads them, such as a classmethod")


def _callable_schema(check: Callable[[bytes], object] | None, format_: Format) -> Schema:
    """Return the schema of records that need not be JSON, except in an array of JSON."""
    if not (isinstance(format_, JsonFormat) and format_.array):
        return Schema(check, _explain_callable, json=False)

    def check_json(data: bytes) -> None:
        if check is not None:
            check(data)
        _decode_any(data)

    return Schema(check_json, _explain_callable, json=True)


_decode_any: Final = msgspec.json.Decoder().decode


def _explain_msgspec(error: Exception, data: bytes, schema: Any) -> InvalidRecordError:
    if not isinstance(error, (msgspec.DecodeError, UnicodeError, RecursionError)):
        return _explain_callable(error, data)  # raised by a `__post_init__` or by a format
    try:
        return invalid_record_error(error, data, schema)
    except RecursionError:  # the document is nested too deeply to be searched for the value
        return invalid_record_error(error, {}, schema)


def _explain_callable(error: Exception, data: bytes) -> InvalidRecordError:
    if isinstance(error, InvalidRecordError):
        return error
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        return invalid_record_error(error, data)
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception whose text fails must not fail the event
        text = "it has no text"
    return InvalidRecordError("schema", None, data, f"{type(error).__name__}: {text}" if text else type(error).__name__)
