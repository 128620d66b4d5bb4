"""Several records in one Kinesis record, in the KPL's aggregated format (`aggregate=True`).

A bundle is made when its request is, not at `put`, so that a reshard before that costs nothing. All of its records
belong to one shard, because the KCL discards an aggregate with a record that belongs to another one. If the shard is
unknown, or in doubt (see `shard_doubts.py`), only records of one key surely do.

A retry sends the same bytes, which are encoded again for each attempt. If the shard is closed or in doubt by then, the
bundle is taken apart and its records are routed again.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from truckstream import kpl
from truckstream.kinesis.encoding import encode_tail
from truckstream.producer.queueing.keyed_queue import lane_key
from truckstream.producer.queueing.outbox import Outbox, records_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.producer.queueing.keyed_queue import LaneKey
    from truckstream.producer.queueing.outbox import Parcel, QueuedRecord

__all__ = ["AggregatingOutbox", "Bundle", "is_mixed"]

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
    def pack(cls, outbox: Outbox, limit: float, max_records: int) -> Bundle:
        """Take the oldest records of the queue that fit into a Kinesis record of `limit` bytes; at least one."""
        aggregate = kpl.Aggregate()
        first = outbox.queue.head()
        aggregate.add(first.data, first.partition_key, first.explicit_hash_key)  # however large: it may be sent alone
        room = 0 if first.goes_alone else int(limit) - len(first.partition_key.encode())

        def fits(record: QueuedRecord) -> bool:
            return record is first or (
                not record.goes_alone
                and aggregate.add(record.data, record.partition_key, record.explicit_hash_key, limit=room)
            )

        return cls(outbox.queue.take_while(fits, max_records), outbox, aggregate)

    @property
    def data(self) -> bytes:
        """The data of the Kinesis record, encoded at each call."""
        return self.members[0].data if len(self.members) == 1 else self._aggregate.encode()

    def __repr__(self) -> str:
        return f"<Bundle of {len(self.members)} records, {self.size:,} bytes>"


class KeyDraft:
    """A bundle of one key, as it is being filled."""

    __slots__ = ("aggregate", "members", "size")

    def __init__(self, first: QueuedRecord) -> None:
        self.members = [first]
        self.size = first.size
        self.aggregate = kpl.Aggregate()
        self.aggregate.add(first.data, first.partition_key, first.explicit_hash_key)

    def add(self, record: QueuedRecord, limit: int, bytes_left: float) -> int:
        """Add a record of the same key, and return by how many bytes the bundle grew.

        Return 0 if the bundle would have more than `limit` bytes, or grow by more than `bytes_left`.
        """
        if record.goes_alone or self.members[0].goes_alone:
            return 0
        key_size = record.size - len(record.data)
        room = int(min(limit, self.size + bytes_left)) - key_size
        if not self.aggregate.add(record.data, record.partition_key, record.explicit_hash_key, limit=room):
            return 0
        self.members.append(record)
        growth = self.aggregate.size + key_size - self.size
        self.size += growth
        return growth


def is_mixed(parcel: Parcel) -> bool:
    """Return whether `parcel` has records of several keys, which a reshard may divide."""
    return parcel.members is not None and len(set(map(lane_key, parcel.members))) > 1


class AggregatingOutbox(Outbox, eq=False, gc=False, kw_only=True):
    """An outbox that sends its records in bundles."""

    def _first_returned(self) -> Parcel | None:
        """Return the parcel that goes before the queue, if there is one.

        In doubt, a bundle of several keys is taken apart when its turn comes: its records go in front of the queue. The
        next bundle's turn comes when they have been sent. So each call takes one apart at most, however many there are.
        """
        while (bundle := super()._first_returned()) and self.is_doubted and is_mixed(bundle):
            if self.queue.count and self.queue.head().put_at <= bundle.put_at:
                return None
            self.put_back(sorted(records_of(self._pop_returned()), key=_put_at))
        return bundle

    def _take_queued(
        self, max_parcels: int, max_records: int, max_bytes: int, paced_bytes: float, max_record_bytes: int
    ) -> list[Parcel]:
        most = min(self.options.aggregate_bytes, max_record_bytes)
        if self.shard_id is None or self.is_doubted:
            return self._take_by_key(max_parcels, max_records, max_bytes, paced_bytes, most)
        packed: list[Parcel] = []
        while self.queue.count and len(packed) < max_parcels and max_records > 0:
            head = self.queue.head().size
            if not self._fits(head, max_bytes, paced_bytes):
                break
            bundle = Bundle.pack(self, min(most, max_bytes, max(head, paced_bytes)), max_records)
            packed.append(bundle)
            max_records -= len(bundle.members)
            max_bytes -= bundle.size
            paced_bytes -= bundle.size
        return packed

    def _take_by_key(
        self, max_parcels: int, max_records: int, max_bytes: int, paced_bytes: float, limit: int
    ) -> list[Parcel]:
        """Take the oldest records of the queue in bundles of one key each."""
        drafts: list[KeyDraft] = []
        by_key: dict[LaneKey, KeyDraft] = {}

        def fits(record: QueuedRecord) -> bool:
            nonlocal max_bytes, paced_bytes
            key = lane_key(record)
            draft = by_key.get(key)
            growth = draft.add(record, limit, min(max_bytes, paced_bytes)) if draft else 0
            if not growth:
                if draft and self.options.ordered:
                    return False  # only one Kinesis record of a key may be in flight
                if len(drafts) >= max_parcels or not self._fits(record.size, max_bytes, paced_bytes):
                    return False
                by_key[key] = KeyDraft(record)
                drafts.append(by_key[key])
                growth = record.size
            max_bytes -= growth
            paced_bytes -= growth
            return True

        self.queue.take_while(fits, max_records)
        return [Bundle(draft.members, self, draft.aggregate) for draft in drafts]

    def _ready(self) -> int:
        """Return the number of bundles that may go, estimated by their bytes.

        In doubt, it is the most there can be: a backlog goes in steps, which must not be too small.
        """
        if self.is_doubted:
            return len(self._returned) + self.queue.count
        bundles = min(self.queue.count, 1 + self.queue.bytes // self.options.aggregate_bytes)
        return len(self._returned) + bundles
