"""Several records in one Kinesis record, in the KPL's aggregated format (`aggregate=True`).

A bundle is made when its request is, not at `put`, so that a reshard before that costs nothing. All of its records
belong to one shard. A retry sends the same bytes, which are encoded again for each attempt. If the shard is closed by
then, the bundle is taken apart and its records are routed again.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from truckstream import kpl
from truckstream.kinesis.encoding import encode_tail
from truckstream.producer.queueing.keyed_queue import lane_key
from truckstream.producer.queueing.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.producer.queueing.outbox import Parcel, QueuedRecord

__all__ = ["AggregatingOutbox", "Bundle"]

_put_at: Callable[[QueuedRecord], float] = attrgetter("put_at")


class Bundle:
    """One Kinesis record that holds one or more records. As in the KPL, a single record is not wrapped."""

    __slots__ = ("_aggregate", "attempts", "members", "outbox", "put_at", "size", "tail")

    def __init__(self, members: list[QueuedRecord], outbox: Outbox, aggregate: kpl.Aggregate) -> None:
        #: In the order in which readers get them.
        self.members = members
        self.outbox = outbox
        self._aggregate = aggregate
        #: Bytes of data and key, as the service counts them; and the keys as a request's body has them.
        if len(members) == 1:
            self.size, self.tail = members[0].size, members[0].tail
        else:
            key = aggregate.partition_key
            self.size = aggregate.size + len(key.encode())
            self.tail = encode_tail(key, aggregate.explicit_hash_key)
        self.put_at = min(map(_put_at, members))
        #: The number of requests that carried this bundle. Its records may have been in others before.
        self.attempts = 0

    @classmethod
    def pack(cls, outbox: Outbox, limit: float) -> Bundle:
        """Take the oldest records of the outbox's queue that fit into a Kinesis record of `limit` bytes; at least one.

        If no shard is known, take records of one key: only those are sure to belong to one shard.
        """
        aggregate = kpl.Aggregate()
        first = outbox.queue.head()
        aggregate.add(first.data, first.partition_key, first.explicit_hash_key)  # however large: it may be sent alone
        room = 0 if first.goes_alone else int(limit) - len(first.partition_key.encode())
        only_key = lane_key(first) if outbox.shard_id is None else None

        def fits(record: QueuedRecord) -> bool:
            return record is first or (
                not record.goes_alone
                and (only_key is None or lane_key(record) == only_key)
                and aggregate.add(record.data, record.partition_key, record.explicit_hash_key, limit=room)
            )

        return cls(outbox.queue.take_while(fits), outbox, aggregate)

    @property
    def data(self) -> bytes:
        """The data of the Kinesis record, encoded at each call."""
        return self.members[0].data if len(self.members) == 1 else self._aggregate.encode()

    def __repr__(self) -> str:
        return f"<Bundle of {len(self.members)} records, {self.size:,} bytes>"


class AggregatingOutbox(Outbox, eq=False, gc=False):
    """An outbox that sends its records in bundles."""

    def _take_queued(self, max_parcels: int, max_bytes: int, paced_bytes: float, max_record_bytes: int) -> list[Parcel]:
        packed: list[Parcel] = []
        most = min(self._options.aggregate_bytes, max_record_bytes)
        while self.queue.count and len(packed) < max_parcels:
            head = self.queue.head().size
            if not self._fits(head, max_bytes, paced_bytes):
                break
            bundle = Bundle.pack(self, min(most, max_bytes, max(head, paced_bytes)))
            packed.append(bundle)
            max_bytes -= bundle.size
            paced_bytes -= bundle.size
        return packed

    def _ready(self) -> int:
        """Return the number of bundles that may go, estimated by their bytes."""
        bundles = min(self.queue.count, 1 + self.queue.bytes // self._options.aggregate_bytes)
        return len(self._returned) + bundles
