"""The leases of a query's consumer, in memory, with the positions of an earlier run.

The consumer makes a lease for each shard, as it would without an earlier run. Here the shards that were read begin
behind their saved positions. A shard that was read to its end has a position before it as long as windows need its last
records, so that it is read again; no table of leases could go back behind SHARD_END.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from truckstream.consumer.tables.memory_table import MemoryTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.consumer.leases.lease import Checkpoint, Lease

__all__ = ["ResumingTable"]


class ResumingTable(MemoryTable):
    """Leases in memory.

    Args:
        positions: where reading begins, by the id of the shard.
    """

    def __init__(self, positions: Mapping[str, Checkpoint]) -> None:
        super().__init__()
        self._positions = dict(positions)
        self._parents: dict[str, tuple[str, ...]] = {}

    async def create(self, lease: Lease) -> bool:
        """Add a lease. False if there is one with its key, which stays as it is."""
        self._parents[lease.shard_id] = lease.parent_ids
        return await super().create(replace(lease, checkpoint=self._positions.get(lease.shard_id, lease.checkpoint)))

    def has(self, shard_id: str) -> bool:
        """Return whether the stream still lists the shard."""
        return shard_id in self._parents

    def parents_of(self, shard_id: str) -> tuple[str, ...]:
        """Return the shards that a split or a merge made the shard of."""
        return self._parents.get(shard_id, ())

    def children_of(self, shard_id: str) -> set[str]:
        """Return the shards that follow a shard, as far as they have leases."""
        return {child for child, parents in self._parents.items() if shard_id in parents}
