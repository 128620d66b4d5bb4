"""What a producer may do, as its core is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from truckstream.kinesis.limits import MAX_BYTES_PER_REQUEST, MAX_RECORDS_PER_REQUEST

__all__ = ["AGGREGATE_BYTES", "ProducerOptions"]

#: The KPL's AggregationMaxSize. About 100 records of 500 bytes share one Kinesis record, which leaves a hundredth of
#: its cost to each; larger ones only make a retry dearer and a shard's steps coarser.
AGGREGATE_BYTES: Final = 51_200


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerOptions:
    """What a producer may do. Times in seconds, sizes in bytes."""

    buffer_bytes: int
    linger: float
    delivery_timeout: float
    #: The most requests under way at a time; fewer while the service is in trouble.
    max_in_flight: int
    pacing: bool = True
    max_batch_records: int = MAX_RECORDS_PER_REQUEST
    max_batch_bytes: int = MAX_BYTES_PER_REQUEST
    #: Records of one key land in the order of put.
    ordered: bool = False
    #: Records of one shard share Kinesis records of up to `aggregate_bytes`.
    aggregate: bool = False
    aggregate_bytes: int = AGGREGATE_BYTES
