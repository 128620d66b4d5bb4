"""Which outbox a key belongs to: that of the shard that owns the key's hash, as far as the shards are known."""

from __future__ import annotations

import itertools
import math
import weakref
from operator import attrgetter
from sys import getsizeof
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from truckstream.kinesis.encoding import encode_tail
from truckstream.kinesis.limits import MIB
from truckstream.kinesis.shard_map import ShardMap, check_partition_key, hash_key_of, parse_hash_key
from truckstream.producer.pacing.shard_pacer import ShardPacer
from truckstream.producer.queueing.buffer_budget import overhead_of
from truckstream.producer.queueing.bundle import AggregatingOutbox
from truckstream.producer.queueing.fifo_queue import FifoQueue
from truckstream.producer.queueing.keyed_queue import KeyedQueue, Lanes
from truckstream.producer.queueing.outbox import Outbox, count_records, records_of, unsettled_of
from truckstream.producer.queueing.shard_group import ShardGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from truckstream.kinesis.shard_map import Shard
    from truckstream.producer.options import ProducerOptions
    from truckstream.producer.queueing.outbox import Parcel, QueuedRecord

__all__ = ["Resharded", "RouteFields", "RoutedKey", "Router", "RoutingTable"]

_put_at: Callable[[QueuedRecord], float] = attrgetter("put_at")

#: Keys are remembered, so that each is hashed once, until they take this share of the buffer's budget: 20,000 keys of
#: ten characters with the default of 64 MiB. A key that is not remembered costs 2 µs more.
ROUTES_SHARE: Final = 0.1

#: The most bytes of remembered keys. Forgetting 50,000 keys takes 5 ms, and a larger buffer needs no more of them.
MAX_ROUTES_BYTES: Final = 16 * MIB

#: The memory of a remembered key beside its text and its encoding: a `RoutedKey`, and its place in a dict that grows.
ROUTE_BYTES: Final = 200


#: The most groups of shards that have one request in flight at a time, however many `max_in_flight` allows.
MAX_EXCLUSIVE_GROUPS: Final = 64


class Resharded(NamedTuple):
    """Records that have to be moved after a reshard: see `relocation.py`."""

    #: The outboxes that are closed now.
    outboxes: list[Outbox]
    #: Queues with records of all shards, which are put into no more.
    fronts: list[FifoQueue]


#: The fields of a `RoutedKey`. Each put takes one apart, which takes a named tuple three times as long as a plain one.
RouteFields: TypeAlias = "tuple[Outbox, int, int, bytes]"


class RoutedKey(NamedTuple):
    """Everything that a record's keys decide."""

    outbox: Outbox
    #: The partition key's bytes, as the service counts them.
    key_size: int
    #: Bytes of the buffer's budget that a record takes beside its data and these bytes.
    overhead: int
    #: The part of a request's body that follows the record's data: the keys.
    tail: bytes


def _route_fields(outbox: Outbox, partition_key: str, explicit_hash_key: str | None, key_size: int) -> RouteFields:
    """Return everything that the keys of a record for `outbox` decide."""
    tail = encode_tail(partition_key, explicit_hash_key)
    return outbox, key_size, overhead_of(key_size, _memory_of(partition_key, tail)), tail


def _memory_of(partition_key: str, tail: bytes) -> int:
    return getsizeof(partition_key) + getsizeof(tail)


class RoutingTable(dict[str, "RouteFields"]):
    """The outbox of each partition key. Looking up a new key routes and remembers it.

    A dict with `__missing__`, because each put looks up its key: a known key costs one dict access. When the keys take
    more than `max_bytes`, all are forgotten, and remembered again as they come.
    """

    __slots__ = ("_bytes", "_max_bytes", "by_shard", "shard_map", "unrouted")

    def __init__(self, unrouted: Outbox, max_bytes: int) -> None:
        self._bytes = 0
        self._max_bytes = max_bytes
        self.shard_map = ShardMap(())
        self.by_shard: dict[str, Outbox] = {}
        #: For keys whose shard is unknown.
        self.unrouted = unrouted

    def __missing__(self, partition_key: str) -> RouteFields:
        encoded = check_partition_key(partition_key)
        fields = _route_fields(self.outbox_of(hash_key_of(encoded)), partition_key, None, len(encoded))
        self._bytes += ROUTE_BYTES + _memory_of(partition_key, fields[-1])
        if self._bytes > self._max_bytes:
            self._forget()
        else:
            self[partition_key] = fields
        return fields

    def replace(self, shard_map: ShardMap, by_shard: dict[str, Outbox], unrouted: Outbox) -> None:
        """Route all keys anew from now on."""
        self.shard_map, self.by_shard, self.unrouted = shard_map, by_shard, unrouted
        self._forget()

    def _forget(self) -> None:
        self.clear()
        self._bytes = 0

    def outbox_of(self, hash_key: int) -> Outbox:
        """Return the outbox of the shard that owns `hash_key`."""
        shard = self.shard_map.shard_of(hash_key)
        return self.by_shard[shard.shard_id] if shard else self.unrouted


class Router:
    """The outboxes of a stream's open shards, and one for keys whose shard is unknown.

    Each map has an outbox of its own for keys without a shard. A new map closes the old one, so that everything that
    was routed to it, also by a put that waits for room, is routed again. Otherwise the records of one key could wait in
    two outboxes.

    The open shards are divided among groups. Order is only kept between records whose shard is known and paced: else a
    stream's whole traffic would have to go through one request at a time. With `ordered=True` it is kept by each key's
    lane.
    """

    def __init__(self, options: ProducerOptions) -> None:
        self._options = options
        #: Puts go to the outboxes' own queues, and not to the fronts of the groups.
        self.has_own_queues = options.aggregate or options.ordered
        exclusive = min(options.max_in_flight, MAX_EXCLUSIVE_GROUPS) if options.pacing and not options.ordered else 0
        self._unrouted_group = ShardGroup(options, exclusive=False)
        shard_groups = [ShardGroup(options, exclusive=True) for _ in range(exclusive)] or [self._unrouted_group]
        self._shard_groups = itertools.cycle(shard_groups)
        #: All groups of outboxes.
        self.groups = [*shard_groups, self._unrouted_group] if exclusive else shard_groups
        #: Whether the stream is on demand, so that the capacity of new shards has to be learnt.
        self.on_demand = False
        #: With `ordered=True`, the keys that have records.
        self.lanes: Lanes = {}
        self.table = RoutingTable(
            self._make_outbox(None, self._make_pacer(-math.inf, learns=True)),
            int(min(options.buffer_bytes * ROUTES_SHARE, MAX_ROUTES_BYTES)),
        )
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
            return RoutedKey(*self.table[partition_key])
        size = len(check_partition_key(partition_key))
        outbox = self.table.outbox_of(parse_hash_key(explicit_hash_key))
        return RoutedKey(*_route_fields(outbox, partition_key, explicit_hash_key, size))

    def set_shards(self, shards: Iterable[Shard], now: float) -> Resharded | None:
        """Route by `shards` from now on. Return None if they are the same as before.

        Otherwise records have to be moved: those of outboxes that are closed now, and those that wait in the fronts.
        """
        self.listed = {shard.shard_id: shard for shard in shards}
        new, old = ShardMap(self.listed.values()), self.table
        if new.shards == old.shard_map.shards:
            return None
        kept = {shard.shard_id for shard in {*new.shards} & {*old.shard_map.shards}}
        gone = [old.unrouted, *(box for shard_id, box in old.by_shard.items() if shard_id not in kept)]
        for box in gone:
            box.close()
        by_shard = {
            shard.shard_id: old.by_shard[shard.shard_id]
            if shard.shard_id in kept
            else self._make_outbox(shard.shard_id, self._make_pacer(now, learns=self.on_demand))
            for shard in new.shards
        }
        self.table.replace(new, by_shard, self._make_outbox(None, self._make_pacer(now, learns=True)))
        self.outboxes = [*by_shard.values(), self.table.unrouted]
        return Resharded(gone, self._replace_fronts())

    def _replace_fronts(self) -> list[FifoQueue]:
        """Give each group a new front, and return the old ones that have records."""
        fronts = [group.front for group in self.groups]
        new = {front: FifoQueue() for front in fronts}
        for group in self.groups:
            group.front = new[group.front]
        for outbox in self.outboxes:
            if isinstance(outbox.entry, FifoQueue):  # or it is a queue of keys, which is the outbox's own
                outbox.entry = new.get(outbox.entry, outbox.entry)
        return [front for front in fronts if front.count]

    def reroute(self, record: QueuedRecord) -> Outbox:
        """Set the outbox of `record` to the present one for its keys, and return it."""
        record.outbox = self.route(record.partition_key, record.explicit_hash_key).outbox
        return record.outbox

    def requeue(self, parcels: Iterable[Parcel]) -> None:
        """Queue `parcels`, which were taken, for the shards that are open now. Bundles of several are taken apart."""
        apart: dict[Outbox, list[QueuedRecord]] = {}
        for parcel in parcels:
            if count_records(parcel) == 1:
                parcel.outbox = self.reroute(records_of(parcel)[0])
                parcel.outbox.return_parcel(parcel)
                continue
            for record in unsettled_of(parcel):
                apart.setdefault(self.reroute(record), []).append(record)
        for outbox, members in apart.items():
            outbox.put_back(sorted(members, key=_put_at))

    def _make_pacer(self, now: float, *, learns: bool) -> ShardPacer | None:
        return ShardPacer(now, learns=learns) if self._options.pacing else None

    def _make_outbox(self, shard_id: str | None, pacer: ShardPacer | None) -> Outbox:
        bundled = self._options.aggregate
        queue = KeyedQueue(self.lanes, bundled=bundled) if self._options.ordered else FifoQueue()
        group = self._unrouted_group if shard_id is None else next(self._shard_groups)
        return (AggregatingOutbox if bundled else Outbox)(
            entry=queue if self.has_own_queues else group.front,
            shard_id=shard_id,
            pacer=pacer,
            queue=queue,
            group=weakref.proxy(group),
            options=self._options,
        )
