"""The consumer: reads streams, alone or with other workers, and keeps checkpoints that follow the work.

`consumer.py` is the public class. `leases/` decides which worker reads which shard, and `reading/` when to read and how
much; `running/` carries both out, and `processing/` passes the records to the application.
"""

from truckstream.consumer.consumer import Consumer
from truckstream.consumer.leases.lease import Checkpoint, Lease, PendingCheckpoint
from truckstream.consumer.leases.lease_table import LeaseTable
from truckstream.consumer.processing.batch import Batch
from truckstream.consumer.shard_processor import AssignedShard, EndReason, ShardProcessor
from truckstream.consumer.watching.observer import (
    AggregateBroken,
    ConsumerEvent,
    ConsumerObserver,
    ConsumerStatsSampled,
    LeaseLost,
    LeaseReleased,
    LeaseTaken,
    ReadFailed,
    ReadThrottled,
    RecordsProcessed,
    RecordsRead,
    ShardEnded,
)
from truckstream.consumer.watching.stats import ConsumerStats, ShardReadStats
from truckstream.kinesis.reading.shard_record import ShardRecord as Record

__all__ = [
    "AggregateBroken",
    "AssignedShard",
    "Batch",
    "Checkpoint",
    "Consumer",
    "ConsumerEvent",
    "ConsumerObserver",
    "ConsumerStats",
    "ConsumerStatsSampled",
    "EndReason",
    "Lease",
    "LeaseLost",
    "LeaseReleased",
    "LeaseTable",
    "LeaseTaken",
    "PendingCheckpoint",
    "ReadFailed",
    "ReadThrottled",
    "Record",
    "RecordsProcessed",
    "RecordsRead",
    "ShardEnded",
    "ShardProcessor",
    "ShardReadStats",
]
