"""`MappingStats`: the statistics of an event source mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.mapping.shard_poller import ShardPoller

__all__ = ["MappingStats", "sum_stats"]


class MappingStats(msgspec.Struct, frozen=True):
    """The mapping at one moment, over all its shards."""

    #: Records that the function processed.
    records: int
    #: Invocations that have ended, and how many of them left records to retry or to discard.
    invocations: int
    failures: int
    #: Batches, rests of batches and halves of batches that were invoked again.
    retries: int
    #: Records that were discarded: out of retries, or too old.
    discarded: int
    #: Records of the current invocations.
    in_flight: int
    #: Seconds between the arrival of a batch's last record and the end of the batch; the worst shard's latest value.
    iterator_age: float


def sum_stats(pollers: Iterable[ShardPoller]) -> MappingStats:
    """Return the statistics over all pollers."""
    pollers = list(pollers)
    counts = [poller.counts for poller in pollers]
    return MappingStats(
        records=sum(count.processed for count in counts),
        invocations=sum(count.invocations for count in counts),
        failures=sum(count.failures for count in counts),
        retries=sum(count.retries for count in counts),
        discarded=sum(count.discarded for count in counts),
        in_flight=sum(poller.in_flight for poller in pollers),
        iterator_age=max((count.iterator_age for count in counts), default=0.0),
    )
