"""The actions that the reader of a shard asks its caller for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from truckstream.kinesis.reading.position import Position
    from truckstream.kinesis.reading.shard_record import ChildShard

__all__ = ["Ended", "Fatal", "Fetch", "NeedIterator", "Open", "Receive", "Subscribe", "Wait"]


class NeedIterator(NamedTuple):
    """Call GetShardIterator."""

    position: Position


class Fetch(NamedTuple):
    """Call GetRecords."""

    iterator: str
    limit: int


class Open(NamedTuple):
    """Open the next aggregates of the last page."""


class Wait(NamedTuple):
    """Do nothing until a time; infinity until the budget has granted the shard its bytes."""

    until: float


class Ended(NamedTuple):
    """All records of the shard were returned."""

    children: tuple[ChildShard, ...]
    #: The shard does not exist, or its stream does not. Its children are unknown.
    is_gone: bool = False


class Fatal(NamedTuple):
    """The failure that was reported last cannot be retried."""

    code: str


class Subscribe(NamedTuple):
    """Call SubscribeToShard."""

    position: Position


class Receive(NamedTuple):
    """Wait for the next event of the subscription."""
