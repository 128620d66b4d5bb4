"""One stream: its shards with their parents and children, and the shard of each key.

The open shards partition the hash keys at all times. A split or a merge closes the parents and opens the children in
one step, so that a key always has exactly one shard. The service takes seconds to reshard, and the stream is UPDATING
meanwhile; `transition` shows that state to clients that poll for it, while the shards change at once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final, Literal

from truckstream.local.service.identifiers.hash_key import HashRange, even_ranges, hash_of
from truckstream.local.service.quotas import limits
from truckstream.local.service.state.daily_changes import DailyChanges
from truckstream.local.service.state.lifecycle import ResourceLifecycle
from truckstream.local.service.state.shard import LocalShard

if TYPE_CHECKING:
    from truckstream.local.service.state.consumer import FanOutConsumer

__all__ = ["Mode", "Stream"]

Mode = Literal["PROVISIONED", "ON_DEMAND"]

#: Number of keys whose shard is remembered. A truck fleet has thousands; with random keys the memory is cleared
#: now and then.
_ROUTES: Final = 100_000

_HOUR: Final = 3_600.0
#: Seconds between two searches for expired records. Retention is counted in hours.
_TRIM_EVERY: Final = 1.0


class Stream(ResourceLifecycle):
    """A stream and all its shards, open and closed."""

    def __init__(
        self, name: str, arn: str, *, shard_count: int, now: float, mode: Mode = "PROVISIONED", quota_scale: float = 1.0
    ) -> None:
        super().__init__(now)
        self.name = name
        self.arn = arn
        self.mode: Mode = mode
        #: Changes of the mode, for the limit of two a day.
        self.mode_changes = DailyChanges()
        #: Whether keys are ignored when records are distributed (RecordDistributionStrategy AUTO).
        self.spreads_evenly = False
        #: Requested warm throughput in MiB a second.
        self.warm_mib: int | None = None
        self.created_at = now
        self.retention_hours = limits.RETENTION_HOURS
        self.max_record_bytes = limits.RECORD_KIB * limits.KIB
        self.tags: dict[str, str] = {}
        self.policy: str | None = None
        self.shard_level_metrics: list[str] = []
        #: UpdateShardCount calls, for the limit of ten a day.
        self.resizes = DailyChanges()
        #: Shards by ID, in the order of their creation.
        self.shards: dict[str, LocalShard] = {}

        self._quota_scale = quota_scale
        self._consumers: dict[str, FanOutConsumer] = {}
        # Times of changes of the encryption key; None for no encryption.
        self._encryption: list[tuple[float, str | None]] = [(now, None)]
        self._trimmed_at = now
        self._arrival = 0.0
        self._made = 0
        # The open shards, sorted by their first hash key, and the remembered routes.
        self._turn = 0
        self._open = [self._make(part, now) for part in even_ranges(shard_count)]
        self._starts = [shard.hash_range.start for shard in self._open]
        self._routes: dict[str, tuple[LocalShard, int]] = {}

    def __repr__(self) -> str:
        return f"<Stream {self.name}: {len(self._open)} open of {len(self.shards)} shards>"

    # --- State -----------------------------------------------------------------------------------

    def known_consumers(self, now: float) -> dict[str, FanOutConsumer]:
        """Return the registered consumers by name, without deleted ones. A new consumer is added to this dict."""
        for name in [name for name, consumer in self._consumers.items() if consumer.is_gone(now)]:
            del self._consumers[name]
        return self._consumers

    def was_created_at(self, moment: float | None) -> bool:
        """Return whether the StreamCreationTimestamp of a request, if it has one, matches this stream.

        Only whole seconds are compared, because SDKs cut off the fraction when they send a timestamp back.
        """
        return moment is None or int(moment) == int(self.created_at)

    @property
    def open_shards(self) -> list[LocalShard]:
        """The open shards in the order of their hash keys."""
        return list(self._open)

    def arrival(self, now: float) -> float:
        """Return the arrival time of a new record, in milliseconds and never before that of an earlier record.

        The service promises no order of arrival times. Keeping them ordered allows lookups by bisection.
        """
        self._arrival = max(self._arrival, round(now, 3))
        return self._arrival

    def horizon(self, now: float) -> float:
        """Return the oldest arrival time within the retention period."""
        return now - self.retention_hours * _HOUR

    def trim(self, now: float) -> None:
        """Drop records older than the retention period, and closed shards without younger ones."""
        if now - self._trimmed_at < _TRIM_EVERY:
            return
        self._trimmed_at = now
        horizon = self.horizon(now)
        for shard in list(self.shards.values()):
            shard.trim(horizon)
            if shard.closed_at is not None and shard.closed_at < horizon:
                del self.shards[shard.shard_id]

    # --- Encryption ------------------------------------------------------------------------------

    @property
    def key_id(self) -> str | None:
        """The KMS key that encrypts new records; None without encryption."""
        return self._encryption[-1][1]

    def encrypt(self, key_id: str | None, now: float) -> None:
        self._encryption.append((now, key_id))

    def encryption_changes(self, since: float, *, started: bool) -> int:
        """Return how often encryption was started, or stopped, since the given time."""
        # The first entry is the creation of the stream.
        return sum(at > since and (key_id is not None) == started for at, key_id in self._encryption[1:])

    def is_encrypted(self, arrival: float) -> bool:
        """Return whether a record that arrived at this time was encrypted."""
        found = bisect_right(self._encryption, arrival, key=lambda change: change[0])
        return self._encryption[max(0, found - 1)][1] is not None

    # --- Routing ---------------------------------------------------------------------------------

    def shard_of_hash(self, hash_key: int) -> LocalShard:
        return self._open[bisect_right(self._starts, hash_key) - 1]

    def route(self, partition_key: str) -> tuple[LocalShard, int]:
        """Return the shard of a key and the length of the key in bytes. Remembered, because keys repeat."""
        route = self._routes.get(partition_key)
        if route is None:
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
            route = self.shard_of_hash(hash_of(partition_key)), len(partition_key.encode())
            self._routes[partition_key] = route
        return route

    def next_shard(self) -> LocalShard:
        """Return the open shards in turn, for records that may go to any shard."""
        self._turn = (self._turn + 1) % len(self._open)
        return self._open[self._turn]

    @property
    def known_routes(self) -> dict[str, tuple[LocalShard, int]]:
        """The remembered routes, which the hot path reads directly. Every reshard replaces the dict."""
        return self._routes

    # --- Resharding ------------------------------------------------------------------------------

    def split(self, parent: LocalShard, new_start: int, now: float) -> tuple[LocalShard, LocalShard]:
        """Replace `parent` with two shards; the second begins at `new_start`."""
        ranges = HashRange(parent.hash_range.start, new_start - 1), HashRange(new_start, parent.hash_range.end)
        low, high = (self._make(part, now, (parent,)) for part in ranges)
        self._replace([parent], [low, high], now)
        return low, high

    def merge(self, parent: LocalShard, adjacent: LocalShard, now: float) -> LocalShard:
        """Replace a shard and the shard with the following hash keys with one shard."""
        child = self._make(HashRange(parent.hash_range.start, adjacent.hash_range.end), now, (parent, adjacent))
        self._replace([parent, adjacent], [child], now)
        return child

    def resize(self, count: int, now: float) -> None:
        """Change the stream to `count` shards of equal size through single splits and merges, as the service does.

        "This can cause short-lived shards to be created, in addition to the final shards": they are empty and closed
        at once.
        """
        for part in even_ranges(count):
            shard = self.shard_of_hash(part.start)
            if shard.hash_range.start != part.start:
                self.split(shard, part.start, now)
        for part in even_ranges(count):
            merged = self.shard_of_hash(part.start)
            while merged.hash_range.end != part.end:
                merged = self.merge(merged, self.shard_of_hash(merged.hash_range.end + 1), now)

    def _make(self, hash_range: HashRange, now: float, parents: tuple[LocalShard, ...] = ()) -> LocalShard:
        epoch = max([int(now), *(parent.epoch + 1 for parent in parents)])
        ids = tuple(parent.shard_id for parent in parents)
        shard = LocalShard(self._made, hash_range, epoch=epoch, now=now, parents=ids, quota_scale=self._quota_scale)
        self._made += 1
        self.shards[shard.shard_id] = shard
        return shard

    def _replace(self, parents: list[LocalShard], children: list[LocalShard], now: float) -> None:
        """Close adjacent shards and open shards with the same hash keys in their place, both in the order of the keys.

        It is one slice assignment, because a resize to thousands of shards does it thousands of times.
        """
        for parent in parents:
            parent.close(now)
        first = bisect_left(self._starts, parents[0].hash_range.start)
        place = slice(first, first + len(parents))
        self._open[place] = children
        self._starts[place] = [child.hash_range.start for child in children]
        self._routes = {}
