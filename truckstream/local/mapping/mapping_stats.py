"""What `EventSourceMapping.stats` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.mapping.shard_poller import ShardPilot

__all__ = ["MappingStats", "add_up"]


class MappingStats(msgspec.Struct, frozen=True):
    """The mapping at one moment, over all its shards."""

    #: Records that the function processed.
    records: int
    #: Invocations that ended, and those of them that left records to come again or to be discarded.
    invocations: int
    failures: int
    #: Batches, rests and halves of batches that came again.
    retries: int
    #: Records given up: out of retries, or too old.
    discarded: int
    #: Records of the invocations under way.
    in_flight: int
    #: Seconds between the arrival of a batch's last record and the batch's end; the worst shard's latest.
    iterator_age: float


def add_up(pilots: Iterable[ShardPilot]) -> MappingStats:
    """The sum over shards."""
    pilots = list(pilots)
    counts = [pilot.counts for pilot in pilots]
    return MappingStats(
        records=sum(count.processed for count in counts),
        invocations=sum(count.invocations for count in counts),
        failures=sum(count.failures for count in counts),
        retries=sum(count.retries for count in counts),
        discarded=sum(count.discarded for count in counts),
        in_flight=sum(pilot.in_flight for pilot in pilots),
        iterator_age=max((count.iterator_age for count in counts), default=0.0),
    )
