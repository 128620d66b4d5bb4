"""Checks of the Batcher's options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard, get_args

import msgspec

from truckstream.batcher.storing.object_key import KeyScheme, Layout
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["MAX_BATCH_SIZE", "check_batch_size", "check_positive", "read_key_schemes"]

#: The most records in an object: Lambda's largest batch.
MAX_BATCH_SIZE: Final = 10_000


def check_batch_size(value: int | Literal["auto"]) -> None:
    """Raise InvalidArgumentError unless the value is a possible `batch_size`."""
    if value != "auto" and not (_is_integer(value) and 1 <= value <= MAX_BATCH_SIZE):
        raise InvalidArgumentError("batch_size", value, f'must be 1 to {MAX_BATCH_SIZE:,}, or "auto"')


def check_positive(**options: int) -> None:
    """Raise InvalidArgumentError unless each option is a whole number of at least 1."""
    for name, value in options.items():
        if not (_is_integer(value) and value >= 1):
            raise InvalidArgumentError(name, value, "must be a whole number, at least 1")


def read_key_schemes(
    prefix: str, rejected_prefix: str, layout: Layout, event_time: str | None, schema: Any
) -> tuple[KeyScheme, KeyScheme]:
    """Return the key schemes of valid and of rejected records.

    Raises:
        InvalidArgumentError: the options do not fit together.
    """
    if layout not in get_args(Layout):
        raise InvalidArgumentError("layout", layout, 'must be "flat" or "hive"')
    if event_time is not None:
        _check_event_time(event_time, layout, schema)
    if prefix == rejected_prefix:
        raise InvalidArgumentError("rejected_prefix", rejected_prefix, "must differ from prefix")
    return KeyScheme(prefix, layout, event_time), KeyScheme(rejected_prefix, layout)


def _check_event_time(field: str, layout: Layout, schema: Any) -> None:
    if layout != "hive":
        raise InvalidArgumentError("event_time", field, 'needs layout "hive"')
    if isinstance(schema, type) and issubclass(schema, msgspec.Struct):
        names = schema.__struct_encode_fields__
        if field not in names:
            raise InvalidArgumentError("event_time", field, f"must be a field of the records: {', '.join(names)}")
    elif not isinstance(field, str) or not field:
        raise InvalidArgumentError("event_time", field, "must be the name of a field")


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
