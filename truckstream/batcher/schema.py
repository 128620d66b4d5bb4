"""What a valid record is: a msgspec type, a callable that raises, or nothing at all.

Each becomes a `Schema`: one function over a record's bytes that raises if they are wrong, and one that turns what it
raised into a reason. The first is the hot path, so for a msgspec type it is the C decoder itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from truckstream.errors import InvalidArgumentError, InvalidRecordError
from truckstream.record import explain

if TYPE_CHECKING:
    from collections.abc import Callable

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


def read_schema(schema: Any) -> Schema:
    """The schema behind `Batcher(schema=…)`.

    Raises:
        InvalidArgumentError: it is neither a type that msgspec decodes, nor callable, nor None.
    """
    if schema is None:
        return Schema(None, _explain_foreign, json=False)
    if callable(schema) and not isinstance(schema, type) and not hasattr(schema, "__origin__"):
        return Schema(schema, _explain_foreign, json=False)
    try:
        decoder = msgspec.json.Decoder(schema)
    except (TypeError, ValueError) as error:
        rule = f"a schema is a type that msgspec decodes, a callable or None ({error})"
        raise InvalidArgumentError("schema", schema, rule) from error
    return Schema(decoder.decode, lambda error, data: _explain_msgspec(error, data, schema), json=True)


def _explain_msgspec(error: Exception, data: bytes, schema: Any) -> InvalidRecordError:
    try:
        return explain(error, data, schema)
    except RecursionError:  # the value is looked for in a document that is too deep to be read as a whole
        return explain(error, {}, schema)


def _explain_foreign(error: Exception, data: bytes) -> InvalidRecordError:
    if isinstance(error, InvalidRecordError):
        return error
    return InvalidRecordError("schema", None, data, f"{type(error).__name__}: {error}")
