"""The producer: takes bytes and a partition key, and delivers them as a record of a Kinesis stream.

`core.py` decides and `producer.py` drives it; there is no HTTP in here. truckstream/README.md describes the way of a
record.
"""

from truckstream.producer.outcomes.delivery import Ack, Delivery
from truckstream.producer.producer import Producer
from truckstream.producer.stats import ProducerStats, ShardStats
from truckstream.producer.watching.observer import (
    BatchFailed,
    BatchSent,
    MapRefreshed,
    ProducerEvent,
    ProducerObserver,
    RecordsAcknowledged,
    RecordsFailed,
    RecordsRetried,
    RecordsThrottled,
    StatsSampled,
)

__all__ = [
    "Ack",
    "BatchFailed",
    "BatchSent",
    "Delivery",
    "MapRefreshed",
    "Producer",
    "ProducerEvent",
    "ProducerObserver",
    "ProducerStats",
    "RecordsAcknowledged",
    "RecordsFailed",
    "RecordsRetried",
    "RecordsThrottled",
    "ShardStats",
    "StatsSampled",
]
