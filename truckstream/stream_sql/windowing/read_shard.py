"""One shard of a query: how far it was read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from truckstream.consumer.leases.lease import Checkpoint

if TYPE_CHECKING:
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["ReadShard", "order_of", "position_of"]


class ReadShard:
    """One shard: how far it was read, and the event time that it has reached."""

    __slots__ = ("is_ended", "position", "reached", "replayed_up_to")

    def __init__(self, position: Checkpoint, replayed_up_to: Checkpoint | None) -> None:
        #: The last record that was read.
        self.position = position
        #: Up to here an earlier run has read it.
        self.replayed_up_to = replayed_up_to
        self.is_ended = False
        #: The greatest event time that counted.
        self.reached = -math.inf

    def replays(self, record: ShardRecord) -> bool:
        """Whether an earlier run has read the record."""
        return self.replayed_up_to is not None and order_of(position_of(record)) <= order_of(self.replayed_up_to)


def position_of(record: ShardRecord) -> Checkpoint:
    """Return the checkpoint of a record."""
    return Checkpoint(record.sequence_number, record.subsequence_number or 0)


def order_of(position: Checkpoint) -> tuple[int, int]:
    """Return a key that sorts positions of one shard: the words of a start come first, and its end last."""
    number = position.sequence_number
    if number.isdecimal():
        return int(number), position.subsequence_number
    return (2**200 if position.is_ended else -1), 0
