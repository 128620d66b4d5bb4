"""Which outbox a key belongs to: that of the shard that owns the key's hash, as far as the shards are known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.kinesis.encoding import encode_tail
from truckstream.kinesis.shard_map import ShardMap, check_partition_key, hash_key_of, parse_hash_key
from truckstream.producer.pacing.shard_pacer import ShardPacer
from truckstream.producer.queueing.bundle import AggregatingOutbox
from truckstream.producer.queueing.fifo_queue import FifoQueue
from truckstream.producer.queueing.keyed_queue import KeyedQueue, Lanes
from truckstream.producer.queueing.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.kinesis.shard_map import Shard
    from truckstream.producer.options import ProducerOptions
    from truckstream.producer.queueing.outbox import Parcel, QueuedRecord

__all__ = ["RoutedKey", "Router", "RoutingTable"]

#: Keys that are remembered, so that each is hashed once. A fleet's keys fit, and 65,536 keys take about 10 MB.
MAX_REMEMBERED_KEYS: Final = 65_536


class RoutedKey(NamedTuple):
    """Everything that a record's keys decide."""

    outbox: Outbox
    #: The partition key's bytes, as the service counts them.
    key_size: int
    #: The part of a request's body that follows the record's data: the keys.
    tail: bytes


class RoutingTable(dict[str, RoutedKey]):
    """The outbox of each partition key. Looking up a new key routes and remembers it.

    A dict with `__missing__`, because each put looks up its key: a known key costs one dict access.
    """

    __slots__ = ("by_shard", "shard_map", "unrouted")

    def __init__(self, unrouted: Outbox) -> None:
        self.shard_map = ShardMap(())
        self.by_shard: dict[str, Outbox] = {}
        #: For keys whose shard is unknown.
        self.unrouted = unrouted

    def __missing__(self, partition_key: str) -> RoutedKey:
        encoded = check_partition_key(partition_key)
        if len(self) >= MAX_REMEMBERED_KEYS:
            self.clear()
        routed = RoutedKey(self.outbox_of(hash_key_of(encoded)), len(encoded), encode_tail(partition_key))
        self[partition_key] = routed
        return routed

    def replace(self, shard_map: ShardMap, by_shard: dict[str, Outbox], unrouted: Outbox) -> None:
        """Route all keys anew from now on."""
        self.shard_map, self.by_shard, self.unrouted = shard_map, by_shard, unrouted
        self.clear()

    def outbox_of(self, hash_key: int) -> Outbox:
        """Return the outbox of the shard that owns `hash_key`."""
        shard = self.shard_map.shard_of(hash_key)
        return self.by_shard[shard.shard_id] if shard else self.unrouted


class Router:
    """The outboxes of a stream's open shards, and one for keys whose shard is unknown.

    Each map has an outbox of its own for keys without a shard. A new map closes the old one, so that everything that
    was routed to it, also by a put that waits for room, is routed again. Otherwise the records of one key could wait in
    two outboxes.
    """

    def __init__(self, options: ProducerOptions) -> None:
        self._options = options
        #: Whether the stream is on demand, so that the capacity of new shards has to be learnt.
        self.on_demand = False
        #: With `ordered=True`, the keys that have records.
        self.lanes: Lanes = {}
        self.table = RoutingTable(self._make_outbox(None, self._make_pacer(-math.inf, learns=True)))
        #: Every shard of the last listing, the closed ones too. A shard's range never changes.
        self.listed: dict[str, Shard] = {}
        #: All outboxes that take records.
        self.outboxes: list[Outbox] = [self.table.unrouted]

    @property
    def shard_ids(self) -> tuple[str, ...]:
        """The shards that take records."""
        return tuple(self.table.by_shard)

    def route(self, partition_key: str, explicit_hash_key: str | None) -> RoutedKey:
        """Return the outbox of a record with these keys, and their size and encoding.

        Raises:
            InvalidArgumentError: one of the keys breaks the service's rules.
        """
        if explicit_hash_key is None:
            return self.table[partition_key]
        outbox, size = self.table.outbox_of(parse_hash_key(explicit_hash_key)), len(check_partition_key(partition_key))
        return RoutedKey(outbox, size, encode_tail(partition_key, explicit_hash_key))

    def set_shards(self, shards: Iterable[Shard], now: float) -> list[Parcel] | None:
        """Route by `shards` from now on. Return None if they are the same as before.

        Otherwise return the parcels that waited for another attempt at a shard that is closed now: pass them to
        `reroute`. Records that were never sent have been moved already.
        """
        self.listed = {shard.shard_id: shard for shard in shards}
        new, old = ShardMap(self.listed.values()), self.table
        if new.shards == old.shard_map.shards:
            return None
        kept = {shard.shard_id for shard in {*new.shards} & {*old.shard_map.shards}}
        gone = [old.unrouted, *(box for shard_id, box in old.by_shard.items() if shard_id not in kept)]
        for box in gone:
            box.is_closed = True
        by_shard = {
            shard.shard_id: old.by_shard[shard.shard_id]
            if shard.shard_id in kept
            else self._make_outbox(shard.shard_id, self._make_pacer(now, learns=self.on_demand))
            for shard in new.shards
        }
        self.table.replace(new, by_shard, self._make_outbox(None, self._make_pacer(now, learns=True)))
        self.outboxes = [*by_shard.values(), self.table.unrouted]
        if self._options.ordered:
            self._move_lanes(gone)
        else:
            self._move_records(gone)
        return [parcel for outbox in gone for parcel in outbox.take_returned()]

    def reroute(self, record: QueuedRecord) -> Outbox:
        """Set the outbox of `record` to the present one for its keys, and return it."""
        record.outbox = self.route(record.partition_key, record.explicit_hash_key).outbox
        return record.outbox

    def _move_records(self, gone: list[Outbox]) -> None:
        queued = [record for outbox in gone for record in outbox.queue.clear()]
        for record in sorted(queued, key=lambda record: record.put_at):  # those of two shards may merge in one
            self.reroute(record).queue.append(record)

    def _move_lanes(self, gone: list[Outbox]) -> None:
        for outbox in {*self.outboxes, *gone}:
            _keyed_queue(outbox).forget_lanes()
        for key, lane in self.lanes.items():
            partition_key, hash_key = (key, None) if isinstance(key, str) else key
            outbox = self.route(partition_key, hash_key).outbox
            for record in lane.records:
                record.outbox = outbox
            _keyed_queue(outbox).adopt(lane)

    def _make_pacer(self, now: float, *, learns: bool) -> ShardPacer | None:
        return ShardPacer(now, learns=learns) if self._options.pacing else None

    def _make_outbox(self, shard_id: str | None, pacer: ShardPacer | None) -> Outbox:
        bundled = self._options.aggregate
        queue = KeyedQueue(self.lanes, bundled=bundled) if self._options.ordered else FifoQueue()
        return (AggregatingOutbox if bundled else Outbox)(shard_id, pacer, queue, self._options)


def _keyed_queue(outbox: Outbox) -> KeyedQueue:
    assert isinstance(outbox.queue, KeyedQueue)  # noqa: S101 - as `_make_outbox` made it
    return outbox.queue
