"""Where a key goes: the outbox of the shard that takes it, as far as the stream's shards are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.kinesis.encoding import encode_tail
from truckstream.kinesis.shard_map import ShardMap, check_partition_key, hash_key_of, parse_hash_key
from truckstream.producer.pacing.shard_pace import ShardPace
from truckstream.producer.queueing.outbox import Outbox
from truckstream.producer.queueing.queues import FifoQueue, KeyedQueue, Lanes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.kinesis.shard_map import Shard
    from truckstream.producer.options import ProducerOptions
    from truckstream.producer.queueing.outbox import Parcel
    from truckstream.producer.queueing.queued_record import Entry

__all__ = ["Route", "Router"]

#: Routes that are remembered, so that a key is hashed once: a fleet's keys fit, and 64Ki keys take about 10 MB.
MAX_REMEMBERED_ROUTES: Final = 65_536


class Route(NamedTuple):
    """Where a record goes by its keys, and what the keys add to it."""

    outbox: Outbox
    #: The partition key's bytes, as the service counts them.
    key_size: int
    #: What stands behind the record's data in a request's body.
    tail: bytes


class Router:
    """The outboxes of a stream's open shards, and one for what no shard is known for."""

    def __init__(self, options: ProducerOptions, home: object = None) -> None:
        self._options = options
        self._home = home
        #: Whether the capacity of new shards is to be learnt.
        self.on_demand = False
        #: With an order to keep: the keys that have records.
        self.lanes: Lanes = {}
        self._map = ShardMap(())
        #: By partition key, as far as they are remembered.
        self.routes: dict[str, Route] = {}
        self.unrouted = self._make_outbox(None, None)
        self.by_shard: dict[str, Outbox] = {}
        #: All of them.
        self.outboxes: list[Outbox] = [self.unrouted]

    @property
    def shard_ids(self) -> tuple[str, ...]:
        """The shards that take records."""
        return tuple(self.by_shard)

    def route(self, partition_key: str, explicit_hash_key: str | None) -> Route:
        """What the keys of a record say of it.

        Raises:
            InvalidArgumentError: one of the keys breaks the service's rules.
        """
        if explicit_hash_key is not None:
            outbox, size = self._outbox_of(parse_hash_key(explicit_hash_key)), len(check_partition_key(partition_key))
            return Route(outbox, size, encode_tail(partition_key, explicit_hash_key))
        route = self.routes.get(partition_key) if isinstance(partition_key, str) else None
        if route is None:
            encoded = check_partition_key(partition_key)
            if len(self.routes) >= MAX_REMEMBERED_ROUTES:
                self.routes.clear()
            route = Route(self._outbox_of(hash_key_of(encoded)), len(encoded), encode_tail(partition_key))
            self.routes[partition_key] = route
        return route

    def set_shards(self, shards: Iterable[Shard], now: float) -> list[Parcel] | None:
        """Take the stream's shards over; None if nothing changed.

        Else the parcels that waited for another attempt where they do not belong any more: put them back with
        `reroute`. Records that were never sent are already where they belong now.
        """
        new = ShardMap(shards)
        if new.shards == self._map.shards:
            return None
        same = {shard.shard_id for shard in new.shards if shard in self._map.shards}
        self._map = new
        self.routes.clear()
        old = self.by_shard
        self.by_shard = {
            shard.shard_id: old[shard.shard_id]
            if shard.shard_id in same
            else self._make_outbox(
                shard.shard_id, ShardPace(now, learns=self.on_demand) if self._options.pacing else None
            )
            for shard in new.shards
        }
        gone = [self.unrouted, *(box for shard_id, box in old.items() if shard_id not in same)]
        for box in gone:
            box.is_closed = True
        self.unrouted = self._make_outbox(None, None)
        self.outboxes = [*self.by_shard.values(), self.unrouted]
        return self._empty_keyed(gone) if self._options.ordered else self._empty(gone)

    def reroute(self, entry: Entry) -> Outbox:
        """Tell `entry` its present outbox."""
        entry.outbox = self.route(entry.partition_key, entry.explicit_hash_key).outbox
        return entry.outbox

    def _empty(self, gone: list[Outbox]) -> list[Parcel]:
        queued = [entry for outbox in gone for entry in outbox.queue.clear()]
        for entry in sorted(queued, key=lambda entry: entry.put_at):  # two shards' records merge in one
            self.reroute(entry).queue.append(entry)
        return [parcel for outbox in gone for parcel in outbox.take_returned()]

    def _empty_keyed(self, gone: list[Outbox]) -> list[Parcel]:
        for outbox in {*self.outboxes, *gone}:
            _keyed(outbox).forget()
        for key, lane in self.lanes.items():
            partition_key, hash_key = (key, None) if isinstance(key, str) else key
            outbox = self.route(partition_key, hash_key).outbox
            for entry in lane.entries:
                entry.outbox = outbox
            _keyed(outbox).adopt(lane)
        return [parcel for outbox in gone for parcel in outbox.take_returned()]

    def _make_outbox(self, shard_id: str | None, pace: ShardPace | None) -> Outbox:
        bundled = self._options.aggregate
        queue = KeyedQueue(self.lanes, bundled=bundled) if self._options.ordered else FifoQueue()
        return Outbox(shard_id, pace, queue, self._options, self._home)

    def _outbox_of(self, hash_key: int) -> Outbox:
        shard = self._map.shard_of(hash_key)
        return self.by_shard[shard.shard_id] if shard else self.unrouted


def _keyed(outbox: Outbox) -> KeyedQueue:
    assert isinstance(outbox.queue, KeyedQueue)  # noqa: S101 - as `_make_outbox` made it
    return outbox.queue
