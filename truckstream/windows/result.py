"""A window's result, and its identity."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec

__all__ = ["Key", "WindowResult", "time_of"]

#: A text, a number, None, or a tuple of these.
Key: TypeAlias = Any

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class WindowResult(msgspec.Struct, frozen=True, kw_only=True):
    """The aggregates of one key in one window.

    A sink keeps one row for each `key`, `start` and `part`: a result replaces one with a lower or the same revision,
    and is dropped if there is one with a higher revision. Then each result counts once, however often it is written.
    """

    key: Key
    #: The window's start, which is in it, and its end, which is not. The end of a session grows.
    start: datetime
    end: datetime
    #: Grows with each record: it is the number of records of the window, and 1 more if the window is retracted.
    revision: int
    #: How many of the records came late, so that this result corrects an earlier one.
    late: int = 0
    #: The stream and the shard in which the window of this key began, joined by a slash. If records of one key come
    #: from several shards, each of them has a part of the result.
    part: str
    #: By the names of the aggregates; empty if the window is retracted.
    values: dict[str, Any]
    #: Whether there is no such window any more: a late record has moved the start of a session, or joined it to an
    #: earlier one.
    is_retracted: bool = False


def time_of(micros: int) -> datetime:
    """Return the UTC time of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=micros)
