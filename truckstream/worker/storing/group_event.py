"""A group as the batcher takes it: the columns of an event of Lambda with the same records."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from truckstream.batcher.grouping.boundaries import EVERY_INDEX
from truckstream.batcher.reading.aggregates import read_payload
from truckstream.batcher.reading.event import KinesisEvent, UnreadableData
from truckstream.batcher.reading.stream_order import boundaries_between
from truckstream.deaggregation import MAGICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["event_of"]


def event_of(
    stream_arn: str, shard_id: str, records: Sequence[ShardRecord], previous: str | None = None
) -> KinesisEvent:
    """Return the event of records of one shard, aggregates taken apart. There must be at least one.

    `previous` is the sequence number of the shard's record before them, if it is known.
    """
    sequences = [record.sequence_number for record in records]
    subsequences = [record.subsequence_number for record in records]
    is_plain = len(set(sequences)) == len(sequences)
    payloads: list[bytes | UnreadableData] = [record.data for record in records]
    if any(map(bytes.startswith, payloads, repeat(MAGICS))):  # type: ignore[arg-type]
        payloads = list(map(_payload, records))
    return KinesisEvent(
        stream=stream_arn,
        shard=shard_id,
        sequences=sequences,
        arrivals=[record.arrival for record in records],
        partition_keys=[record.partition_key for record in records],
        payloads=payloads,
        boundaries=EVERY_INDEX if is_plain else boundaries_between(list(map(int, sequences))),
        subsequences=None if all(each is None for each in subsequences) else subsequences,
        hash_keys={at: key for at, record in enumerate(records) if (key := record.explicit_hash_key) is not None},
        previous=previous,
        long_aggregates=_long_aggregate(records),
    )


def _long_aggregate(records: Sequence[ShardRecord]) -> dict[int, int]:
    """Return how many records the aggregate has of which the group is a part; nothing if it is not."""
    first, last = records[0], records[-1]
    count = first.aggregate_records
    is_part = count is not None and len(records) < count and first.sequence_number == last.sequence_number
    return {0: count} if is_part and count is not None else {}


def _payload(record: ShardRecord) -> bytes | UnreadableData:
    """Return the record's data; or the reason why it is an aggregate that the consumer could not take apart."""
    if record.subsequence_number is not None:
        return record.data
    read = read_payload(record.data)
    return record.data if isinstance(read, list) else read
