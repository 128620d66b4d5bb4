"""A shard whose lease this worker holds, as its processor sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.errors import LeaseLostError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from truckstream.consumer.leases.lease import Checkpoint, PendingCheckpoint
    from truckstream.consumer.leases.tenure import Tenure
    from truckstream.consumer.running.feeding.feed import Feed
    from truckstream.consumer.upkeep.lease_manager import LeaseManager

__all__ = ["LeasedShard"]


class LeasedShard:
    """The `AssignedShard` of one tenure."""

    def __init__(self, stream_name: str, tenure: Tenure, leases: LeaseManager, feed: Feed) -> None:
        self.stream_name = stream_name
        self.shard_id = tenure.shard_id
        self.hash_range = tenure.hash_range
        self.parent_ids = leases.parents_read(tenure)
        self.start = tenure.start
        self.pending = tenure.pending
        self._tenure = tenure
        self._leases = leases
        self._feed = feed

    @property
    def is_held(self) -> bool:
        """Whether this worker still has the lease."""
        return self._tenure.is_held

    def note(self, checkpoint: Checkpoint) -> None:
        """Have a checkpoint written with one of the next renewals. Without the lease nothing is written."""
        if self._tenure.is_held:
            self._leases.note(self._tenure, checkpoint)

    async def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and remove the pending one."""
        self._check()
        await self._leases.save(self._tenure, checkpoint)

    async def announce(self, pending: PendingCheckpoint) -> None:
        """Write a pending checkpoint."""
        self._check()
        await self._leases.announce(self._tenure, pending)

    def blocked_by_others(self) -> AbstractContextManager[None]:
        """Let other shards read on although this one's processor waits for their records."""
        return self._feed.blocked_by_others()

    def _check(self) -> None:
        if not self._tenure.is_held:
            raise LeaseLostError(self.shard_id)
