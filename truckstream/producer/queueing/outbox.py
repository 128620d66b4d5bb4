"""What waits to go to one shard: records for their first attempt, parcels for another one, and the shard's pace.

A parcel is what goes as one Kinesis record: an `Entry`, or with aggregation a `Bundle` of them.

A stream whose shards are not known (the caller may not list them) has one outbox, without a pace.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from msgspec import field

from truckstream.producer.queueing.bundle import Bundle
from truckstream.producer.queueing.queued_record import Entry
from truckstream.producer.stats import ShardStats

if TYPE_CHECKING:  # outboxes are made and never decoded, so that the struct's types are not needed at run time
    from collections.abc import Iterator  # noqa: TC004

    from truckstream.producer.options import ProducerOptions  # noqa: TC004
    from truckstream.producer.pacing.shard_pace import ShardPace  # noqa: TC004
    from truckstream.producer.queueing.queues import FifoQueue, KeyedQueue  # noqa: TC004

__all__ = ["Outbox", "Parcel", "entries_of", "records_in"]

Parcel: TypeAlias = Entry | Bundle


def entries_of(parcel: Parcel) -> list[Entry]:
    """The records in `parcel`."""
    return parcel.members if isinstance(parcel, Bundle) else [parcel]


def records_in(parcel: Parcel) -> int:
    """How many they are."""
    return 1 if parcel.members is None else len(parcel.members)


class Outbox(msgspec.Struct, eq=False, gc=False):
    """What waits to go to one shard.

    The garbage collector does not know outboxes, so that it need not know the entries that refer to them: a struct
    none of whose fields it knows is itself not tracked. That takes 0.2 µs a record off its rounds. Outboxes and entries
    refer to each other only while records wait, and a producer's end gives every record its outcome.
    """

    #: None: of no shard.
    shard_id: str | None
    pace: ShardPace | None
    #: Records that were never sent.
    queue: FifoQueue | KeyedQueue
    _options: ProducerOptions
    #: What the shell wants to find by way of an entry; no business of the core's.
    home: object = None
    #: Its shard takes no more records; or it is of no shard, and the map has changed since.
    is_closed: bool = False
    # Parcels whose backoff is over, the oldest first. They go before the queue, which is younger.
    _again: list[tuple[float, int, Parcel]] = field(default_factory=list)
    _again_bytes: int = 0
    _ties: Iterator[int] = field(default_factory=itertools.count)
    # Counters for the statistics, of records.
    in_flight: int = 0
    backed_off: int = 0
    acked: int = 0
    throttled: int = 0

    @property
    def waiting(self) -> int:
        """Records that wait for whatever reason."""
        return self.queue.waiting + self.backed_off + sum(records_in(parcel) for _, _, parcel in self._again)

    @property
    def ready_bytes(self) -> int:
        """Bytes of what may go as far as order and backoff are concerned."""
        return self.queue.bytes + self._again_bytes

    def stats(self, now: float) -> ShardStats:
        """What is told of the shard."""
        return ShardStats(
            buffered=self.waiting,
            in_flight=self.in_flight,
            acked=self.acked,
            throttled=self.throttled,
            records_per_second=self.pace.rate_at(now) if self.pace else None,
        )

    def return_parcel(self, parcel: Parcel) -> None:
        """Its backoff is over."""
        heapq.heappush(self._again, (parcel.put_at, next(self._ties), parcel))
        self._again_bytes += parcel.size

    def sendable(self, now: float) -> int:
        """How many Kinesis records could go now."""
        ready = self._ready()
        return min(ready, self.pace.records_allowed(now)) if self.pace else ready

    def due_at(self, now: float, flushed_epoch: int) -> float:
        """When this outbox asks for a request: its oldest record has waited long enough, and the pace allows."""
        if self._again:
            company, size = now, self._again[0][2].size
        elif self.queue.count:
            head = self.queue.head()
            size = head.size
            company = now if head.epoch <= flushed_epoch else head.put_at + self._options.linger
        else:
            return math.inf
        paced = self.pace.when(self._ready(), self.ready_bytes, size, now) if self.pace else now
        return max(company, paced)

    def expires_at(self) -> float:
        """When its oldest record is given up."""
        again = self._again[0][0] if self._again else math.inf
        queued = self.queue.head().put_at if self.queue.count else math.inf
        return min(again, queued) + self._options.delivery_timeout

    def take_expired(self, now: float) -> list[Parcel]:
        """Remove what is past its deadline: the oldest record of each parcel is."""
        expired: list[Parcel] = []
        timeout = self._options.delivery_timeout
        while self._again and self._again[0][0] + timeout <= now:
            expired.append(self._pop_again())
        while self.queue.count and self.queue.head().put_at + timeout <= now:
            expired.append(self.queue.pop())
        return expired

    def take(self, max_records: int, max_bytes: int, max_record_bytes: int, now: float) -> list[Parcel]:
        """Remove up to `max_records` parcels and `max_bytes` that may go now, and pay for them."""
        if self.pace is None:
            return self._take(max_records, max_bytes, math.inf, max_record_bytes)
        allowed = min(max_records, self.pace.records_allowed(now))
        taken = self._take(allowed, max_bytes, self.pace.bytes_allowed(now), max_record_bytes)
        if taken:
            self.pace.take(len(taken), sum(parcel.size for parcel in taken), now)
        return taken

    def take_returned(self) -> list[Parcel]:
        """Remove the parcels that wait for another attempt, the oldest first."""
        taken = [parcel for _, _, parcel in sorted(self._again)]
        self._again.clear()
        self._again_bytes = 0
        return taken

    def _take(self, max_records: int, max_bytes: int, paced_bytes: float, max_record_bytes: int) -> list[Parcel]:
        taken: list[Parcel] = []
        while self._again and len(taken) < max_records:
            size = self._again[0][2].size
            if size > max_bytes or not self._fits(size, paced_bytes):
                return taken
            taken.append(self._pop_again())
            max_bytes -= size
            paced_bytes -= size
        if not self.queue.count or len(taken) >= max_records:
            return taken
        head = self.queue.head().size
        if head > max_bytes or not self._fits(head, paced_bytes):
            return taken
        if not self._options.aggregate:
            return taken + self.queue.take(max_records - len(taken), min(max_bytes, max(head, paced_bytes)))
        return taken + self._pack(max_records - len(taken), max_bytes, paced_bytes, max_record_bytes)

    def _pack(self, max_records: int, max_bytes: int, paced_bytes: float, max_record_bytes: int) -> list[Parcel]:
        packed: list[Parcel] = []
        most = min(self._options.aggregate_bytes, max_record_bytes)
        while self.queue.count and len(packed) < max_records:
            head = self.queue.head().size
            if head > max_bytes or not self._fits(head, paced_bytes):
                break
            bundle = Bundle.pack(self.queue, self, min(most, max_bytes, max(head, paced_bytes)))
            packed.append(bundle)
            max_bytes -= bundle.size
            paced_bytes -= bundle.size
        return packed

    def _fits(self, size: int, paced_bytes: float) -> bool:
        return self.pace is None or self.pace.fits(size, paced_bytes)

    def _ready(self) -> int:
        """Kinesis records that may go as far as order and backoff are concerned."""
        if not self._options.aggregate or not self.queue.count:
            return len(self._again) + self.queue.count
        return len(self._again) + min(self.queue.count, 1 + self.queue.bytes // self._options.aggregate_bytes)

    def _pop_again(self) -> Parcel:
        parcel = heapq.heappop(self._again)[2]
        self._again_bytes -= parcel.size
        return parcel

    def __repr__(self) -> str:
        return f"<Outbox {self.shard_id}: {self.waiting} waiting, {self.in_flight} in flight>"
