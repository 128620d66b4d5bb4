"""How much the records may weigh: beyond it, the oldest go before their retention ends.

The service keeps a day of a full shard, 90 GB; a laptop does not. The default is 2 GiB: half an hour of one shard at
its quota, or what a CI runner of 8 GB can spare. What goes early is counted (`ShardStats.records_trimmed`), and reads
go on from the oldest record that is left, as they do after retention has trimmed.

What is stored is added up only when enough has come since the last look, over all shards, so that a write pays for one
addition. So the cap may be passed by one part in `_LOOKS`.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.service.state.shard import Shard

__all__ = ["DEFAULT_BYTES", "LEAST_BYTES", "RECORD_OVERHEAD", "Memory"]

DEFAULT_BYTES: Final = 2 * 1024 * limits.MIB
#: One request must fit, with the rest of what it is compared with.
LEAST_BYTES: Final = 16 * limits.MIB
#: Beside its data and key, a record takes two object headers (33 and 49 bytes), three columns and their rounding.
RECORD_OVERHEAD: Final = 128

_LOOKS: Final = 16


class Memory:
    """The weight of all records of an account, at most `max_bytes` (infinity: no cap)."""

    def __init__(self, max_bytes: float) -> None:
        self._max = max_bytes
        self._arrived = 0.0

    def is_due(self, size: int, records: int) -> bool:
        """Count what has just been written; whether it is time to `trim`."""
        self._arrived += size + records * RECORD_OVERHEAD
        return self._arrived > self._max / _LOOKS

    def trim(self, shards: Iterable[Shard]) -> None:
        """Have the oldest records go, over all shards, until the rest weighs no more than the cap."""
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
        # Once for each shard: dropping the head of a column moves all that is behind it.
        for shard, count in zip(filled, rows, strict=True):
            shard.drop(count)
            shard.counts.records_trimmed += count
