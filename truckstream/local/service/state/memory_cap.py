"""A cap on the memory that all records take: beyond it, the oldest are dropped before their retention ends.

The service keeps 90 GB for a day of one full shard; a laptop cannot. The default of 2 GiB holds half an hour of one
shard at its quota, and fits a CI runner with 8 GB. Records that are dropped early are counted
(`LocalShardStats.records_trimmed`), and reads continue at the oldest record that is left, as after retention.

The stored bytes are summed over all shards only after enough new bytes have arrived, so that a write pays for one
addition. The cap can therefore be exceeded by one part in `_LOOKS`.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from truckstream.local.service.quotas import limits
from truckstream.local.service.state.shard import RECORD_OVERHEAD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.service.state.shard import LocalShard

__all__ = ["DEFAULT_BYTES", "LEAST_BYTES", "MemoryCap"]

DEFAULT_BYTES: Final = 2 * 1024 * limits.MIB
#: The smallest cap: one request must fit beside the records that it is compared with.
LEAST_BYTES: Final = 16 * limits.MIB

_LOOKS: Final = 16


class MemoryCap:
    """Keeps the memory of all records of an account below `max_bytes` (infinity: no cap)."""

    def __init__(self, max_bytes: float) -> None:
        self._max = max_bytes
        self._arrived = 0.0

    def is_due(self, size: int, records: int) -> bool:
        """Add a write, and return whether it is time to `trim`."""
        self._arrived += size + records * RECORD_OVERHEAD
        return self._arrived > self._max / _LOOKS

    def trim(self, shards: Iterable[LocalShard]) -> None:
        """Drop the oldest records over all shards until the rest is within the cap."""
        self._arrived = 0.0
        filled = [shard for shard in shards if shard.first_place < shard.next_place]
        excess = sum(shard.weight for shard in filled) - self._max
        rows = [0] * len(filled)
        oldest = [(shard.arrival_of(shard.first_place), number) for number, shard in enumerate(filled)]
        heapify(oldest)
        while excess > 0 and oldest:
            _, number = heappop(oldest)
            shard = filled[number]
            rows[number], weight = shard.run_from(rows[number])
            excess -= weight
            following = shard.arrival_of(shard.first_place + rows[number])
            if following is not None:
                heappush(oldest, (following, number))
        # Once per shard, because dropping the head of a column moves the rest of it.
        for shard, count in zip(filled, rows, strict=True):
            shard.drop(count)
            shard.counts.records_trimmed += count
