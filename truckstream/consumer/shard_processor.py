"""The interface for applications that keep state for each shard, such as the worker that stores objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from truckstream.consumer.leases.lease import Checkpoint, PendingCheckpoint
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["AssignedShard", "EndReason", "ShardProcessor"]

#: Why a processor gets no more records of its shard: the shard has none left, another worker asked for the lease, or
#: this consumer closes.
EndReason = Literal["shard_end", "hand_over", "close"]


class AssignedShard(Protocol):
    """A shard whose lease this worker holds."""

    stream_name: str
    shard_id: str
    #: The shard's hash keys, both ends included; None if the lease does not name them.
    hash_range: tuple[int, int] | None
    #: The shards that it followed in a split or a merge, of those that this application has read to their ends.
    parent_ids: tuple[str, ...]
    #: Where reading began: the checkpoint in the table when the lease was taken.
    start: Checkpoint
    #: Work that the previous owner had announced and not completed.
    pending: PendingCheckpoint | None

    @property
    def is_held(self) -> bool:
        """Whether this worker still has the lease."""

    def note(self, checkpoint: Checkpoint) -> None:
        """Have a checkpoint written with one of the next renewals, at the latest when the lease is given up."""

    async def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and remove the pending one. It is in the table when this returns.

        Raises:
            LeaseLostError: another worker has the lease. Nothing was written.
        """

    async def announce(self, pending: PendingCheckpoint) -> None:
        """Write a pending checkpoint, which a successor finds as `pending` of its `AssignedShard`.

        Raises:
            LeaseLostError: another worker has the lease. Nothing was written.
        """

    def blocked_by_others(self) -> AbstractContextManager[None]:
        """Mark a wait for other shards' records: `with shard.blocked_by_others(): await event.wait()` in `process`.

        Without it, shards that wait could fill `prefetch_bytes`, so that the records that they wait for are never read.
        """


class ShardProcessor(Protocol):
    """Processes the records of one shard, while this worker holds its lease."""

    async def process(self, records: Sequence[ShardRecord], millis_behind: int) -> None:
        """Process the next records, aggregates taken apart; empty at the tip. The next call comes after its return."""

    def end_soon(self) -> None:
        """Note that no more records come after those of the running `process`, which may return without them.

        It must then not save a checkpoint that covers records which it left.
        """

    async def finish(self, reason: EndReason) -> None:
        """Complete the work in hand and save the last checkpoint, after the last `process`.

        The lease is held until this returns, or until the hand-over's time is up. At "shard_end" the consumer writes
        SHARD_END afterwards, unless this raises.
        """

    def abandon(self) -> None:
        """Drop the work in hand: the lease was lost. `process` or `finish`, if one runs, is cancelled first."""
