"""Several records in one Kinesis record: the KPL's aggregated format, made when the record goes.

While records wait they are single, so that a reshard before they go costs nothing. A bundle is for one shard, and a
retry sends the same bytes, which are made for each attempt. If its shard is gone by then it is taken apart, and its
records go where they belong now.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from truckstream import kpl
from truckstream.kinesis.encoding import encode_tail
from truckstream.producer.queueing.queues import lane_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.producer.queueing.outbox import Outbox
    from truckstream.producer.queueing.queued_record import Entry
    from truckstream.producer.queueing.queues import FifoQueue, KeyedQueue

__all__ = ["Bundle"]

_put_at: Callable[[Entry], float] = attrgetter("put_at")


class Bundle:
    """One Kinesis record that holds one or more records. A single one is not wrapped, as in the KPL."""

    __slots__ = ("_aggregate", "attempts", "members", "outbox", "put_at", "size", "tail")

    def __init__(self, members: list[Entry], outbox: Outbox, aggregate: kpl.Aggregate) -> None:
        #: In the order in which readers get them.
        self.members = members
        self.outbox = outbox
        self._aggregate = aggregate
        #: Bytes of data and key, as the service counts them; and the keys, for the request.
        if len(members) == 1:
            self.size, self.tail = members[0].size, members[0].tail
        else:
            key = aggregate.partition_key
            self.size = aggregate.size + len(key.encode())
            self.tail = encode_tail(key, aggregate.explicit_hash_key)
        self.put_at = min(map(_put_at, members))
        #: Requests that carried this bundle; its records may have been in others before.
        self.attempts = 0

    @classmethod
    def pack(cls, queue: FifoQueue | KeyedQueue, outbox: Outbox, limit: float) -> Bundle:
        """Take the oldest records of `queue`, as many as fit into a Kinesis record of `limit` bytes; at least one.

        Where no shard is known, records of one key: only those surely belong to one shard.
        """
        aggregate = kpl.Aggregate()
        first = queue.head()
        aggregate.add(first.data, first.partition_key, first.explicit_hash_key)  # too large for company, it goes alone
        room = 0 if first.alone else int(limit) - len(first.partition_key.encode())

        only = lane_key(first) if outbox.shard_id is None else None

        def fits(entry: Entry) -> bool:
            return entry is first or (
                not entry.alone
                and (only is None or lane_key(entry) == only)
                and aggregate.add(entry.data, entry.partition_key, entry.explicit_hash_key, limit=room)
            )

        return cls(queue.take_while(fits), outbox, aggregate)

    @property
    def data(self) -> bytes:
        """The Kinesis record's, made anew at each call."""
        return self.members[0].data if len(self.members) == 1 else self._aggregate.encode()

    def __repr__(self) -> str:
        return f"<Bundle of {len(self.members)} records, {self.size:,} bytes>"
