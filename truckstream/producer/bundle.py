"""Several records in one Kinesis record: the KPL's aggregated format, made when the record goes.

While records wait they are single, so that a reshard before they go costs nothing. A bundle holds them encoded, for
one shard; a retry sends the same bytes. If its shard is gone by then it is opened, and its records go where they belong
now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream import kpl
from truckstream.kinesis.encoding import decode_data, encode_record, encode_tail

if TYPE_CHECKING:
    from truckstream.producer.entry import Entry
    from truckstream.producer.outbox import Outbox
    from truckstream.producer.queues import FifoQueue, KeyedQueue

__all__ = ["Bundle"]


class Bundle:
    """One Kinesis record that holds one or more records. A single one is not wrapped, as in the KPL."""

    __slots__ = ("attempts", "members", "outbox", "piece", "put_at", "size")

    def __init__(self, members: list[Entry], outbox: Outbox, piece: bytes, size: int) -> None:
        #: In the order in which readers get them.
        self.members = members
        self.outbox = outbox
        self.piece = piece
        #: Bytes of data and key, as the service counts them.
        self.size = size
        self.put_at = min(member.put_at for member in members)
        #: Requests that carried this bundle; its records may have been in others before.
        self.attempts = 0

    @classmethod
    def pack(cls, queue: FifoQueue | KeyedQueue, outbox: Outbox, limit: float) -> Bundle:
        """Take the oldest records of `queue`, as many as fit into a Kinesis record of `limit` bytes; at least one."""
        aggregate = kpl.Aggregate()
        room = 0.0

        def fits(entry: Entry) -> bool:
            nonlocal room
            keys = entry.partition_key, entry.explicit_hash_key
            if not len(aggregate):
                room = 0 if entry.alone else limit - len(entry.partition_key.encode())
                return aggregate.add(entry.piece, *keys)  # in any case: too large for company, it goes by itself
            return aggregate.size <= room and not entry.alone and aggregate.add(entry.piece, *keys, limit=int(room))

        members = queue.take_while(fits)
        if len(members) == 1:
            [member] = members
            piece = encode_record(member.piece, encode_tail(member.partition_key, member.explicit_hash_key))
            size = member.size
        else:
            key, hash_key = aggregate.partition_key, aggregate.explicit_hash_key
            piece = encode_record(aggregate.encode(), encode_tail(key, hash_key))
            size = aggregate.size + len(key.encode())
        for member in members:
            member.piece = b""
        return cls(members, outbox, piece, size)

    def open(self) -> list[Entry]:
        """Its records, each with its data again."""
        data = decode_data(self.piece)
        datas = [data] if len(self.members) == 1 else [record.data for record in kpl.decode(data)]
        for member, own in zip(self.members, datas, strict=True):
            member.piece = own
        return self.members

    def __repr__(self) -> str:
        return f"<Bundle of {len(self.members)} records, {self.size:,} bytes>"
