"""Checks of the Batcher's options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard, get_args

import msgspec

from truckstream.batcher.storing.object_key import KeyScheme, Layout
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from typing import Literal

    from truckstream.batcher.formats.selection import Formats

__all__ = ["MAX_BATCH_SIZE", "check_batch_size", "check_key_lengths", "check_positive", "read_key_schemes"]

#: The most records in an object: Lambda's largest batch.
MAX_BATCH_SIZE: Final = 10_000

#: The longest key of S3, in bytes of UTF-8, as its user guide states it. A key includes the folder of the store's URL.
MAX_KEY_BYTES: Final = 1_024


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
    if _lies_in(rejected_prefix, prefix):
        rule = f"must lie outside of prefix {prefix!r}: whoever reads the records there would read rejected ones too"
        raise InvalidArgumentError("rejected_prefix", rejected_prefix, rule)
    if _lies_in(prefix, rejected_prefix):
        rule = (
            f"must lie outside of rejected_prefix {rejected_prefix!r}: objects there are usually deleted after a time"
        )
        raise InvalidArgumentError("prefix", prefix, rule)
    return KeyScheme(prefix, layout, event_time), KeyScheme(rejected_prefix, layout)


def _lies_in(inner: str, outer: str) -> bool:
    """True for the same folder, for one below it, and for every folder if `outer` is empty."""
    return not outer or f"{inner}/".startswith(f"{outer}/")


def check_key_lengths(folder: str, valid: KeyScheme, rejected: KeyScheme, formats: Formats) -> None:
    """Raise InvalidArgumentError if S3 would refuse a key. `folder` is that of the store, empty if it has none."""
    for option, keys, format_ in (
        ("prefix", valid, formats.valid),
        ("rejected_prefix", rejected, formats.rejected),
    ):
        length = keys.longest_key_bytes(format_.suffix) + (len(folder.encode()) + 1 if folder else 0)
        if length > MAX_KEY_BYTES:
            where = f"below {folder!r} " if folder else ""
            rule = (
                f"makes keys {where}of up to {length:,} bytes, and S3 allows {MAX_KEY_BYTES:,}: "
                f"make it {length - MAX_KEY_BYTES:,} bytes shorter"
            )
            raise InvalidArgumentError(option, keys.prefix, rule)


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
