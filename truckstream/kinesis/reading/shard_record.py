"""Records as the service returns them to readers."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["Arrival", "ChildShard", "RecordsPage", "SequenceNumber", "ShardRecord"]


#: Decimal digits.
SequenceNumber = Annotated[str, msgspec.Meta(min_length=1)]
#: Seconds since the epoch, up to the end of the year 9999, which is the latest time that `datetime` knows.
Arrival = Annotated[float, msgspec.Meta(ge=0, lt=253_402_300_800)]


class ShardRecord(msgspec.Struct, gc=False):
    """One record of a shard, or one user record of an aggregate or an envelope.

    The first four fields have the service's names in JSON, so that a response is decoded into them (records_page.py).
    """

    data: bytes = msgspec.field(name="Data")
    #: Empty for a record of a stream that distributes its records automatically.
    partition_key: str = msgspec.field(name="PartitionKey")
    #: Greater than those of all earlier records of the shard. Compare as integers.
    sequence_number: SequenceNumber = msgspec.field(name="SequenceNumber")
    #: When the service stored it; approximate.
    arrival: Arrival = msgspec.field(name="ApproximateArrivalTimestamp")
    shard_id: str = ""
    #: Its position in its aggregate; None for a record that was not aggregated.
    subsequence_number: int | None = None
    #: With an aggregate: the user record's explicit hash key, if it has one.
    explicit_hash_key: str | None = None
    #: False for a user record of an aggregate whose hash key the shard does not own. The KCL discards such aggregates.
    in_shard: bool = True
    #: For an aggregate or an envelope that is broken, and so stays one record: the reason, one of
    #: `truckstream.kpl.REASONS` or `truckstream.envelope.REASONS`.
    aggregate_error: str | None = None
    #: With an aggregate: how many user records it has.
    aggregate_records: int | None = None
    #: With an aggregate: the bytes of the Kinesis record, data and key, as the shard's limits count them.
    aggregate_size: int | None = None


class ChildShard(msgspec.Struct, frozen=True, kw_only=True):
    """A shard that a split or a merge made of the one that was read to its end."""

    shard_id: str
    parent_ids: tuple[str, ...]
    starting_hash_key: int
    ending_hash_key: int


class RecordsPage(msgspec.Struct, kw_only=True):
    """One response of GetRecords, or one event of a subscription."""

    #: Not taken apart: an aggregate is one record.
    records: list[ShardRecord]
    #: GetRecords: the iterator for the next page; None at the end of a closed shard.
    next_iterator: str | None = None
    #: SubscribeToShard: the sequence number to go on from after the subscription; None at the end of a closed shard.
    continuation: str | None = None
    #: Age of the oldest record that is still to be read, in milliseconds; 0 at the tip.
    millis_behind: int = 0
    #: The shards that follow, at the end of a closed shard.
    children: tuple[ChildShard, ...] = ()
    #: Bytes of the response, the base64 of the records included.
    size: int = 0
