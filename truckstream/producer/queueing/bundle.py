"""Several records in one Kinesis record (`aggregate=True`): an aggregate of the KPL or, compressed, an envelope.

A bundle is made when its request is, not at `put`, so that a reshard before that costs nothing. All of its records
belong to one shard, because the KCL discards an aggregate with a record that belongs to another one. If the shard is
unknown, or in doubt (see `shard_doubts.py`), only records of one key surely do.

A retry sends the same bytes. Those of an aggregate are encoded again for each attempt, those of an envelope are kept.
If the shard is closed or in doubt by then, the bundle is taken apart and its records are routed again.

An envelope that is not smaller than the data of its records is not sent: they go as an aggregate. A single record is
never wrapped, so that every reader can read it.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from truckstream import kpl
from truckstream.envelope import Envelope
from truckstream.producer.queueing.keyed_queue import lane_key
from truckstream.producer.queueing.outbox import Outbox, records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.producer.queueing.keyed_queue import LaneKey
    from truckstream.producer.queueing.outbox import Parcel, QueuedRecord

__all__ = ["AggregatingOutbox", "Bundle", "is_mixed"]

#: Compressing so many bytes takes as long as packing a usual record: 2 to 3 µs.
BYTES_A_PACKING: Final = 1_024

#: An envelope of so many bytes before compression shows to what data compress. Fewer records compress worse.
SURE_BYTES: Final = 64 * 1024

#: An envelope's size is estimated while it is filled, with an error of half a percent (900 truck records). So much less
#: keeps it below `aggregate_bytes`.
ESTIMATE_MARGIN: Final = 1 / 64

_data: Callable[[QueuedRecord], bytes] = attrgetter("data")
_put_at: Callable[[QueuedRecord], float] = attrgetter("put_at")


class Bundle:
    """One Kinesis record that holds one or more records. As in the KPL, a single record is not wrapped.

    Args:
        members: the records, in the order in which readers get them.
        outbox: the shard's outbox.
        content: the aggregate of the members, or their envelope.
    """

    __slots__ = ("_content", "attempts", "members", "outbox", "packing_cost", "put_at", "size", "tail")

    def __init__(self, members: list[QueuedRecord], outbox: Outbox, content: kpl.Aggregate | bytes) -> None:
        self.members = members
        self.outbox = outbox
        self._content = content
        first = members[0]
        #: Bytes of data and key, as the service counts them; and the keys as a request's body has them.
        self.size, self.tail = first.size, first.tail
        self.packing_cost = len(members)
        if len(members) > 1:
            size = len(content) if isinstance(content, bytes) else content.size
            self.size = size + _key_size(first)
        if isinstance(content, bytes):
            self.packing_cost = max(self.packing_cost, _data_bytes(members) // BYTES_A_PACKING)
        self.put_at = min(map(_put_at, members))
        #: The number of requests that carried this bundle. Its records may have been in others before.
        self.attempts = 0

    @classmethod
    def pack(cls, outbox: Outbox, limit: float, max_records: int) -> Bundle:
        """Take the oldest records of the queue that fit into a Kinesis record of `limit` bytes; at least one."""
        aggregate = kpl.Aggregate()
        first = outbox.queue.head()
        aggregate.add(first.data, first.partition_key, first.explicit_hash_key)  # however large: it may be sent alone
        room = 0 if first.goes_alone else int(limit) - _key_size(first)

        def fits(record: QueuedRecord) -> bool:
            return record is first or (
                not record.goes_alone
                and aggregate.add(record.data, record.partition_key, record.explicit_hash_key, limit=room)
            )

        return cls(outbox.queue.take_while(fits, max_records), outbox, aggregate)

    @property
    def data(self) -> bytes:
        """The data of the Kinesis record. An aggregate is encoded at each call."""
        if len(self.members) == 1:
            return self.members[0].data
        return self._content if isinstance(self._content, bytes) else self._content.encode()

    @property
    def held_bytes(self) -> int:
        """Bytes that the bundle holds beside its records: those of an envelope."""
        return len(self._content) if isinstance(self._content, bytes) else 0

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


def _key_size(record: QueuedRecord) -> int:
    return record.size - len(record.data)


def _data_bytes(records: Sequence[QueuedRecord]) -> int:
    return sum(map(len, map(_data, records)))


class AggregatingOutbox(Outbox, eq=False, gc=False, kw_only=True):
    """An outbox that sends its records in bundles."""

    #: Compressed bytes per byte of the last large envelope; 1 without compression, and until it is known.
    ratio: float = 1.0

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
            target = min(most, max(head, paced_bytes))
            if self.options.compression:
                bundle = self._compress(target, min(max_bytes, max_record_bytes), max_records)
            else:
                bundle = Bundle.pack(self, min(target, max_bytes), max_records)
            packed.append(bundle)
            max_records -= bundle.packing_cost
            max_bytes -= bundle.size
            paced_bytes -= bundle.size
        return packed

    def _compress(self, target: float, limit: int, max_records: int) -> Bundle:
        """Take the oldest records of the queue that make an envelope of about `target` bytes and at most `limit`.

        The last envelope's ratio decides how many are tried: few of data that do not compress. But two are always, so
        that it is noticed when large records begin to.
        """
        first = self.queue.head()
        room, enough = limit - _key_size(first), target * (1 - ESTIMATE_MARGIN) - _key_size(first)
        most_data = max_records * BYTES_A_PACKING
        envelope = Envelope(self.ratio)

        def fits(record: QueuedRecord) -> bool:
            if record is first:  # however large: it may be sent alone
                envelope.add(record.data, record.partition_key, record.explicit_hash_key, limit=room)
                return True
            return (
                0 < envelope.raw_size < most_data
                and (envelope.size < enough or len(envelope) == 1)
                and not (record.goes_alone or first.goes_alone)
                and envelope.add(record.data, record.partition_key, record.explicit_hash_key, limit=room)
            )

        members = self.queue.take_while(fits, max_records)
        if len(members) == 1:
            return Bundle(members, self, kpl.Aggregate())
        sealed = envelope.encode()
        if envelope.raw_size >= SURE_BYTES or envelope.ratio < self.ratio:
            self.ratio = min(1.0, envelope.ratio)
        if len(sealed) < _data_bytes(members):
            return Bundle(members, self, sealed)
        self.queue.put_back(members)
        return Bundle.pack(self, min(target, limit), max_records)

    def _seal(self, draft: KeyDraft) -> Bundle:
        """Return the bundle of one key's records, compressed if that makes it smaller."""
        if self.options.compression and len(draft.members) > 1:
            envelope = Envelope()
            for record in draft.members:
                envelope.add(record.data, record.partition_key, record.explicit_hash_key)
            sealed = envelope.encode()
            if len(sealed) < _data_bytes(draft.members):
                return Bundle(draft.members, self, sealed)
        return Bundle(draft.members, self, draft.aggregate)

    def _take_by_key(
        self, max_parcels: int, max_records: int, max_bytes: int, paced_bytes: float, limit: int
    ) -> list[Parcel]:
        """Take the oldest records of the queue in bundles of one key each.

        They are as large before compression as others are after it: a backlog has few records of a key.
        """
        if self.options.compression and self.queue.count:
            max_bytes = min(max_bytes, max(self.queue.head().size, max_records * BYTES_A_PACKING))
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
        return list(map(self._seal, drafts))

    def _ready(self) -> int:
        """Return the number of bundles that may go, estimated by their bytes.

        In doubt, it is the most there can be: a backlog goes in steps, which must not be too small.
        """
        if self.is_doubted:
            return len(self._returned) + self.queue.count
        bundles = min(self.queue.count, 1 + int(self.queue.bytes * self.ratio) // self.options.aggregate_bytes)
        return len(self._returned) + bundles

    def _ready_bytes(self) -> int:
        """Return the bytes of what may go, as far as can be told compressed."""
        return self._returned_bytes + int(self.queue.bytes * self.ratio)
