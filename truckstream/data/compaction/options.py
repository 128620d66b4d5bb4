"""The options of a compaction, checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from truckstream.data.compaction.manifests.manifest import HOUR, hour_of
from truckstream.errors import InvalidArgumentError
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT_GRACE", "DEFAULT_TARGET_SIZE", "CompactionOptions", "read_options"]

#: Most readers of a stream are less than an hour behind. Objects that come later make another file.
DEFAULT_GRACE: Final = HOUR

#: 128 MiB, below which Athena spends more time on opening files than on reading them:
#: https://aws.amazon.com/blogs/big-data/top-10-performance-tuning-tips-for-amazon-athena/
DEFAULT_TARGET_SIZE: Final = 128 * 1024 * 1024

#: A file is stored by one PUT, which takes 5 GB, and its content is in memory once.
_SIZES: Final = range(1024 * 1024, 2 * 1024 * 1024 * 1024)


class CompactionOptions(NamedTuple):
    """Hours and columns."""

    #: Beginnings of hours; `until` is exclusive.
    since: datetime | None
    until: datetime
    sort_by: tuple[str, ...]


def read_options(
    schema: Any,
    since: datetime | None,
    until: datetime | None,
    grace: timedelta,
    sort_by: Sequence[str] | None,
    target_size: int,
    originals: str,
    *,
    now: datetime,
) -> CompactionOptions:
    """Return the options of `compact`.

    Raises:
        InvalidArgumentError: one of them breaks its rule.
    """
    if grace < timedelta(0):
        raise InvalidArgumentError("grace", str(grace), "must not be negative")
    if target_size not in _SIZES:
        raise InvalidArgumentError("target_size", target_size, "must be from 1 MiB to 2 GiB, in bytes")
    if originals not in {"keep", "tier"}:
        raise InvalidArgumentError("originals", originals, "must be 'keep' or 'tier'")
    closed = hour_of(now - grace)
    last = closed if until is None else min(closed, _next_hour("until", until))
    return CompactionOptions(None if since is None else _next_hour("since", since), last, _sort_by(schema, sort_by))


def _next_hour(argument: str, time: datetime) -> datetime:
    """Return the first hour that begins at this time or later."""
    if time.tzinfo is None:
        raise InvalidArgumentError(argument, time, "must have a time zone")
    return hour_of(time.astimezone(UTC) + HOUR - timedelta(microseconds=1))


def _sort_by(schema: Any, sort_by: Sequence[str] | None) -> tuple[str, ...]:
    if sort_by is None:
        return ("truck_id", "timestamp") if schema is TruckRecord else ()
    fields = schema.__struct_encode_fields__ if isinstance(schema, type) and issubclass(schema, msgspec.Struct) else ()
    for name in sort_by:
        if name not in fields:
            raise InvalidArgumentError("sort_by", name, f"must be a field of the schema: {', '.join(fields)}")
    return tuple(sort_by)
