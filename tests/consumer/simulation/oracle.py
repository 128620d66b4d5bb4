"""What must hold in every history, checked at each step of it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from truckstream.consumer.leases.lease_changes import holder_of
from truckstream.consumer.tables.memory_table import MemoryTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumer.simulation.stream import SimulatedStream
    from truckstream.consumer.leases.lease import Checkpoint, Lease
    from truckstream.consumer.leases.tenure import Tenure


def position(checkpoint: Checkpoint) -> float:
    """The number of the record that a checkpoint names."""
    if checkpoint.is_ended:
        return float("inf")
    return int(checkpoint.sequence_number) if checkpoint.sequence_number.isdigit() else 0


class WatchedTable(MemoryTable):
    """The table that all workers share. No checkpoint ever falls back."""

    def __init__(self) -> None:
        super().__init__()
        self.changes_of_hands = 0
        self.errors: list[AssertionError] = []

    async def replace(self, before: Lease, after: Lease) -> bool:
        found = self._leases.get(before.key)
        done = await super().replace(before, after)
        if done and found is not None:
            if position(after.checkpoint) < position(found.checkpoint):
                self.errors.append(AssertionError(f"{after} after {found}"))
            self.changes_of_hands += holder_of(after) != holder_of(found)
        return done

    @property
    def active(self) -> list[Lease]:
        return [lease for lease in self._leases.values() if not lease.checkpoint.is_ended]


class Oracle:
    def __init__(self, stream: SimulatedStream, table: WatchedTable, is_alive: Callable[[str], bool]) -> None:
        self.stream = stream
        self.table = table
        #: The checks that failed.
        self.errors = table.errors
        self.is_alive = is_alive
        #: The last record of each shard that was delivered.
        self.delivered: defaultdict[str, int] = defaultdict(int)
        self.finished: set[str] = set()
        self._tenures: defaultdict[str, list[tuple[str, Tenure]]] = defaultdict(list)

    def began(self, worker: str, tenure: Tenure) -> None:
        others = [name for name, other in self._live(tenure.shard_id) if other is not tenure]
        assert not others, f"{worker} begins {tenure}, which {others} still has"
        self._tenures[tenure.shard_id].append((worker, tenure))
        parents = self.stream.shards[tenure.shard_id].shard.parent_ids
        assert self.finished.issuperset(parents), f"{tenure} begins before its parents {parents} have ended"

    def wanted(self) -> None:
        asked_for = {(lease.key, lease.checkpoint_owner) for lease in self.table.active if lease.checkpoint_owner}
        moving = [
            tenure
            for shard in list(self._tenures)
            for worker, tenure in self._live(shard)
            if tenure.is_wanted and (shard, worker) in asked_for
        ]
        assert len(moving) <= max(1, len(self.table.active) // 20), f"moving at a time: {moving}"

    def deliver(self, shard_id: str, first: int, last: int) -> None:
        assert first <= self.delivered[shard_id] + 1, f"{shard_id} skips to record {first}"
        self.delivered[shard_id] = max(self.delivered[shard_id], last)

    def finish(self, shard_id: str) -> None:
        self.finished.add(shard_id)

    def holders(self) -> dict[str, str]:
        """The worker that holds each open shard."""
        return {shard.shard_id: worker for shard in self.stream.open_shards for worker, _ in self._live(shard.shard_id)}

    def check_end(self, now: float, live: set[str]) -> None:
        """Check the end of a history, some time after its last fault."""
        closed = {name for name, each in self.stream.shards.items() if each.closed_at is not None}
        assert closed == self.finished, f"not finished: {closed - self.finished}"
        for shard in self.stream.open_shards:
            behind = self.stream.shards[shard.shard_id].records(now) - self.delivered[shard.shard_id]
            assert behind <= 10, f"{shard.shard_id} is {behind} records behind"
        assert {lease.key for lease in self.table.active} == {shard.shard_id for shard in self.stream.open_shards}
        holders = self.holders()
        loads = [list(holders.values()).count(worker) for worker in live]
        assert sum(loads) == len(self.stream.open_shards), f"{holders} of {live}"
        assert max(loads) - min(loads) <= 1, f"loads {loads}"

    def _live(self, shard_id: str) -> list[tuple[str, Tenure]]:
        tenures = self._tenures[shard_id] = [
            (worker, tenure) for worker, tenure in self._tenures[shard_id] if tenure.is_held and self.is_alive(worker)
        ]
        return tenures
