"""A batch: consecutive records of one shard, as the application gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.consumer.leases.lease import Checkpoint
from truckstream.errors import InvalidArgumentError, LeaseLostError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from truckstream.consumer.shard_processor import AssignedShard
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["Batch", "checkpoint_of"]


def checkpoint_of(record: ShardRecord) -> Checkpoint:
    """Return the checkpoint that says: all records up to and with this one are processed."""
    return Checkpoint(record.sequence_number, record.subsequence_number or 0)


class Batch:
    """Consecutive records of one shard, in their order. There is at least one.

    Attributes:
        stream_name: the stream.
        shard_id: the shard.
        records: the records, aggregates taken apart.
        millis_behind_latest: the age in milliseconds of the oldest record that was still to be read when these were
            read; 0 at the tip of the shard.
    """

    def __init__(
        self,
        shard: AssignedShard,
        records: Sequence[ShardRecord],
        millis_behind_latest: int,
        *,
        may_checkpoint: bool = True,
    ) -> None:
        self.stream_name = shard.stream_name
        self.shard_id = shard.shard_id
        self.records = records
        self.millis_behind_latest = millis_behind_latest
        self._shard = shard
        self._may_checkpoint = may_checkpoint
        #: The last checkpoint that was written for this batch.
        self.saved: Checkpoint | None = None

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[ShardRecord]:
        return iter(self.records)

    def __repr__(self) -> str:
        return f"<Batch of {len(self.records)} records of {self.shard_id}, from {self.records[0].sequence_number}>"

    @property
    def is_held(self) -> bool:
        """Whether this worker still has the shard's lease. If not, another worker processes these records, too."""
        return self._shard.is_held

    async def checkpoint(self, record: ShardRecord | None = None) -> None:
        """Save that the batch, or its records up to and with `record`, and all earlier records are processed.

        The checkpoint is in the lease table when this returns.

        Raises:
            LeaseLostError: another worker has the shard now, and reads on from the last checkpoint. Drop the batch.
            LeaseTableError: the lease table cannot be reached. Call this again later, or go on: the next checkpoint
                includes this one.
            InvalidArgumentError: `record` is not a record of this batch.
            UsageError: the batch is one of several parts of its shard's records that are processed at the same time.
        """
        if not self._may_checkpoint:
            raise UsageError(
                "a batch of run(..., concurrency_per_shard=n) has some keys of its shard only, so it cannot be "
                "checkpointed by itself: the consumer does it when the other parts are processed too"
            )
        if record is not None and not any(each is record for each in self.records):
            raise InvalidArgumentError("record", record, "must be one of batch.records")
        if not self._shard.is_held:
            raise LeaseLostError(self.shard_id)
        checkpoint = checkpoint_of(self.records[-1] if record is None else record)
        await self._shard.save(checkpoint)
        self.saved = checkpoint

    @property
    def is_saved(self) -> bool:
        """Whether a checkpoint after its last record was written."""
        return self.saved is not None and self.saved == checkpoint_of(self.records[-1])
