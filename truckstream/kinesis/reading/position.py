"""Where reading of a shard begins, as GetShardIterator and SubscribeToShard name it."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Position", "PositionType"]

PositionType = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"]


class Position(NamedTuple):
    """A place in a shard.

    TRIM_HORIZON is its oldest record, LATEST the end of the shard at the time of the call.
    """

    type: PositionType
    #: For the two types that begin at a record.
    sequence_number: str | None = None
    #: For AT_TIMESTAMP: seconds since the epoch, not in the service's future.
    timestamp: float | None = None
