"""The outbox of one shard, and the records that wait in it.

A record refers to its outbox, and the outbox holds records in a queue, so these types share a file.

A *record* comes from one put. A *bundle* is several records in one Kinesis record (`aggregate=True`). A *parcel* is the
content of one Kinesis record: a single record, or a bundle.

If the stream's shards are unknown (the caller may not list them), there is one outbox for all of them.
"""

from __future__ import annotations

import heapq
import itertools
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, cast

import msgspec
from msgspec import field

from truckstream.kinesis.limits import SHARD_BYTES_PER_SECOND, SHARD_RECORDS_PER_SECOND
from truckstream.producer.stats import ShardStats

if TYPE_CHECKING:  # structs are created and never decoded, so their field types are not needed at run time
    from collections.abc import Callable, Iterator, Sequence  # noqa: TC004

    from truckstream.errors import TruckstreamError  # noqa: TC004
    from truckstream.kinesis.responses import RecordResponse  # noqa: TC004
    from truckstream.producer.options import ProducerOptions  # noqa: TC004
    from truckstream.producer.outcomes.failure_history import FailureHistory  # noqa: TC004
    from truckstream.producer.pacing.shard_pacer import ShardPacer  # noqa: TC004

__all__ = [
    "Failure",
    "Outbox",
    "Parcel",
    "QueuedRecord",
    "RecordQueue",
    "count_records",
    "mark_maybe_duplicate",
    "records_of",
    "unsettled_of",
]


#: The most records and bytes of credit: a twentieth of a second of a shard's quota.
CREDIT_RECORDS: Final = SHARD_RECORDS_PER_SECOND // 20
CREDIT_BYTES: Final = SHARD_BYTES_PER_SECOND // 20


class Parcel(Protocol):
    """The content of one Kinesis record: a `QueuedRecord`, or a `Bundle` of them."""

    #: Bytes of data and key, as the service counts them.
    size: int
    #: The time of put; of a bundle, that of its oldest record.
    put_at: float
    #: The number of requests that carried it.
    attempts: int
    #: The part of a request's body that follows the data: the keys.
    tail: bytes
    outbox: Outbox

    @property
    def data(self) -> bytes: ...

    @property
    def members(self) -> list[QueuedRecord] | None:
        """The records of a bundle; None for a single record."""

    @property
    def packing_cost(self) -> int:
        """The number of usual records that take as long to pack."""

    @property
    def held_bytes(self) -> int:
        """Bytes that it holds beside its records, from its first attempt to its outcome."""


class Failure(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The reason why records failed. All of them share it, and an error of its own is made for a record on demand.

    Most errors of a mass failure are never looked at. Making one takes 1 to 2 µs, and each is an object more for the
    garbage collector, which does not track this struct (see `Outbox`).
    """

    make_error: Callable[[QueuedRecord], TruckstreamError]


class QueuedRecord(msgspec.Struct, eq=False):
    """A record from `put` until it is acknowledged or has failed.

    It is the only object made for a record: the caller holds a subclass of it, `Delivery`, and the queues hold the same
    object. It is a struct, because creating one takes 0.18 µs, and 0.36 µs with a class with slots (Python 3.11). The
    garbage collector does not track a struct if it tracks none of the struct's fields: see `Outbox`.
    """

    data: bytes
    #: The part of a request's body that follows the data: the keys.
    tail: bytes
    partition_key: str
    explicit_hash_key: str | None
    #: Bytes of data and key, as the service counts them.
    size: int
    #: Bytes of the buffer's budget that the record takes until its outcome.
    cost: int
    outbox: Outbox
    # Set by `put`: the time, and the flush epoch that the record belongs to; epochs begin at 1.
    put_at: float = 0.0
    epoch: int = 0
    #: The number of requests that carried it.
    attempts: int = 0
    #: The service may have stored another copy: an attempt ended without a response, or its bundle was divided by a
    #: reshard (see `unproven_bundles.py`).
    maybe_duplicate: bool = False
    #: The service rejected a bundle with this record as malformed, so it is sent by itself now.
    goes_alone: bool = False
    #: The attempts that failed; None if none did.
    failures: FailureHistory | None = None
    # The outcome: at most one of these is set, and only once.
    response: RecordResponse | None = None
    #: With a response: the record's position in its bundle; None if it was not wrapped.
    subsequence_number: int | None = None
    failure: Failure | None = None
    _error: TruckstreamError | None = None

    #: Only a `Bundle` has members, and data of its own.
    members: ClassVar[None] = None
    packing_cost: ClassVar[int] = 1
    held_bytes: ClassVar[int] = 0

    @property
    def settled(self) -> bool:
        """Whether the record has its outcome."""
        return self.response is not None or self.failure is not None

    @property
    def error(self) -> TruckstreamError | None:
        """The error of a record that failed, the same at each call."""
        if self._error is None and self.failure is not None:
            self._error = self.failure.make_error(self)
        return self._error

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.size} bytes for {self.partition_key!r}: {self._describe_outcome()}>"

    def _describe_outcome(self) -> str:
        outcome = "acknowledged" if self.response else repr(self.error) if self.error else "pending"
        return f"{outcome}, {self.attempts} attempts"


def records_of(parcel: Parcel) -> list[QueuedRecord]:
    """Return the records of `parcel`."""
    return [cast("QueuedRecord", parcel)] if parcel.members is None else parcel.members


def unsettled_of(parcel: Parcel) -> list[QueuedRecord]:
    """Return the records of `parcel` without an outcome: others failed while a request with them was in flight."""
    return [record for record in records_of(parcel) if not record.settled]


def mark_maybe_duplicate(parcel: Parcel) -> None:
    """Note that the service may have stored `parcel`, because nothing proves that it did not."""
    for record in unsettled_of(parcel):
        record.maybe_duplicate = True


def count_records(parcel: Parcel) -> int:
    """Return the number of records in `parcel`."""
    return 1 if parcel.members is None else len(parcel.members)


class RecordQueue(ABC):
    """Records that wait for their first attempt at one shard, the oldest first."""

    __slots__ = ()

    #: Add a record that was put just now.
    append: Callable[[QueuedRecord], None]

    @property
    @abstractmethod
    def count(self) -> int:
        """The number of records that may be taken now."""

    @property
    @abstractmethod
    def bytes(self) -> int:
        """The bytes of the records that may be taken now."""

    @property
    @abstractmethod
    def waiting(self) -> int:
        """The number of records in the queue, those that may not be taken yet included."""

    @abstractmethod
    def head(self) -> QueuedRecord:
        """Return the oldest record that may be taken. The queue must have one."""

    @abstractmethod
    def pop(self) -> QueuedRecord:
        """Take the oldest record that may be taken."""

    @abstractmethod
    def take(self, max_records: int, max_bytes: float) -> Sequence[QueuedRecord]:
        """Take the oldest records that may go in one request as Kinesis records of their own."""

    @abstractmethod
    def take_while(self, fits: Callable[[QueuedRecord], bool], max_records: int) -> list[QueuedRecord]:
        """Take the oldest records that may go in one bundle, up to `max_records`, until `fits` returns False."""

    @abstractmethod
    def put_back(self, records: Sequence[QueuedRecord]) -> None:
        """Return records that were taken, in their order."""

    @abstractmethod
    def on_outcome(self, record: QueuedRecord) -> None:
        """A record that was taken has its outcome."""

    def deadline_behind(self, record: QueuedRecord, delivery_timeout: float) -> float:
        """Return the deadline of the oldest record that waits for `record`'s outcome; infinity if none does."""
        del record, delivery_timeout
        return math.inf

    def take_expired_behind(self, record: QueuedRecord, delivery_timeout: float, now: float) -> list[QueuedRecord]:
        """Remove the records past their deadline that wait for `record`'s outcome."""
        del record, delivery_timeout, now
        return []


class OutboxGroup(Protocol):
    """The part of a `ShardGroup` that its outboxes need."""

    def add(self, outbox: Outbox) -> None:
        """`outbox` has got records in its own queue, or may send them earlier than before."""


class Outbox(msgspec.Struct, eq=False, gc=False, kw_only=True):
    """The parcels that wait to be sent to one shard, and the shard's pacing.

    Usually records wait in the front of the shard's group, and the outbox only has credit: what its pacer allows in
    advance. So the pacer need not be asked for each record. See `shard_group.py`.

    The garbage collector does not track outboxes (`gc=False`), so it need not track the records that refer to them
    either, which saves 0.2 µs a record. So a cycle with an outbox in it would never be freed. There is none: an outbox
    and its records refer to each other only while the records wait, and closing the producer gives every record its
    outcome. The group is a weak reference, and the router keeps it.
    """

    # First come the fields that each record needs, so that they lie together in memory: with 10,000 shards that spares
    # the processor's cache some misses. The credit is the records and bytes that may go from the group's front.
    #: Where records are put: `queue`, or the group's front.
    entry: RecordQueue
    #: None if the shards are unknown.
    shard_id: str | None
    #: The shard takes no more records. Or it is unknown, and the map has changed since.
    is_closed: bool = False
    records_left: float = 0
    bytes_left: float = 0
    #: Set by the group: parcels wait here, and records that come from the front must stand behind them.
    is_held: bool = False
    pacer: ShardPacer | None
    #: Records that were never sent, except for those in the group's front.
    queue: RecordQueue
    group: OutboxGroup
    options: ProducerOptions
    #: The shard may be closed, because a response contradicted the map. Set by `ShardDoubts`.
    is_doubted: bool = False
    # Parcels whose backoff is over, the oldest first. They go before the queue, whose records are younger.
    _returned: list[tuple[float, int, Parcel]] = field(default_factory=list)
    _returned_bytes: int = 0
    _returned_records: int = 0
    _ties: Iterator[int] = field(default_factory=itertools.count)
    # The bytes of the credit when the pacer gave it.
    _credit_bytes: float = 0
    # Set by the group, too. The times are those of the outbox's valid entries in the group's heaps: when it is due, and
    # when it expires.
    is_fresh: bool = False
    scheduled_at: float = math.inf
    expiring_at: float = math.inf
    # Counts for the statistics: records that back off, and parcels that the shard throttled.
    backing_off: int = 0
    throttled: int = 0

    @property
    def waiting(self) -> int:
        """The number of records that wait here, or for a retry."""
        return self.queue.waiting + self.backing_off + self._returned_records

    def stats(self, now: float, *, in_front: int, in_flight: int, acked: int) -> ShardStats:
        """Return the statistics of the shard, with these numbers of records."""
        return ShardStats(
            buffered=in_front + self.waiting,
            in_flight=in_flight,
            acked=acked,
            throttled=self.throttled,
            records_per_second=self.pacer.rate_at(now) if self.pacer else None,
        )

    def return_parcel(self, parcel: Parcel) -> None:
        """Accept a parcel for another attempt, now that its backoff is over."""
        heapq.heappush(self._returned, (parcel.put_at, next(self._ties), parcel))
        self._returned_bytes += parcel.size
        self._returned_records += count_records(parcel)
        self.group.add(self)

    def put_back(self, records: Sequence[QueuedRecord]) -> None:
        """Return records to the queue that were taken from it, in their order."""
        self.queue.put_back(records)
        self.group.add(self)

    def lingers_until(self, flushed_epoch: int) -> float:
        """Return when the oldest parcel has lingered long enough; -inf if it need not, infinity if there is none."""
        if self._first_returned():
            return -math.inf
        if not self.queue.count:
            return math.inf
        head = self.queue.head()
        return -math.inf if head.epoch <= flushed_epoch else head.put_at + self.options.linger

    def paced_at(self, now: float) -> float:
        """Return when the pacing allows a worthwhile part of what waits."""
        if self.pacer is None:
            return now
        return self.pacer.when(self._ready(), self._ready_bytes(), self.first_size(), now)

    def first_size(self) -> int:
        """Return the bytes of the parcel that goes next; 0 if there is none."""
        if returned := self._first_returned():
            return returned.size
        return self.queue.head().size if self.queue.count else 0

    def refill(self, size: int, now: float) -> bool:
        """Get new credit, for a record of `size` bytes at least. Return False if the pacer allows none now.

        While the shard throttles, the pacer has to know of each record at once, and allows none in advance.
        """
        used = self._credit_bytes - self.bytes_left
        self.return_credit(now)
        if self.pacer is None or not self.pacer.is_calm(now):
            return False
        if self.pacer.exceeds_bucket(size):
            # The bucket may have filled up since it gave the credit that was used. Together with that, a record of
            # 1 MiB, which is all that the service saves up, would exceed the shard's quota.
            self.pacer.take(0, used, now)
        records = min(CREDIT_RECORDS, self.pacer.records_allowed(now))
        bytes_allowed = self.pacer.bytes_allowed(now)
        if records < 1 or not self.pacer.fits(size, bytes_allowed):
            return False
        self.records_left = records
        self.bytes_left = self._credit_bytes = max(size, min(CREDIT_BYTES, bytes_allowed))
        self.pacer.take(records, self.bytes_left, now)
        return True

    def return_credit(self, now: float) -> None:
        """Return to the pacer what is left of the credit."""
        if self.pacer is not None and (self.records_left or self.bytes_left):
            self.pacer.take(-self.records_left, -self.bytes_left, now)
            self.records_left = self.bytes_left = 0
        self._credit_bytes = 0

    def expires_at(self) -> float:
        """Return the deadline of the oldest record."""
        returned = self._returned[0][0] if self._returned else math.inf
        queued = self.queue.head().put_at if self.queue.count else math.inf
        return min(returned, queued) + self.options.delivery_timeout

    def take_expired(self, now: float, limit: int) -> list[Parcel]:
        """Remove parcels whose oldest record is past its deadline, until they have `limit` records."""
        expired: list[Parcel] = []
        timeout = self.options.delivery_timeout
        while limit > 0 and self._returned and self._returned[0][0] + timeout <= now:
            expired.append(self._pop_returned())
            limit -= count_records(expired[-1])
        while limit > 0 and self.queue.count and self.queue.head().put_at + timeout <= now:
            expired.append(self.queue.pop())
            limit -= 1
        return expired

    def take(
        self, max_parcels: int, max_records: int, max_bytes: int, max_record_bytes: int, now: float
    ) -> list[Parcel]:
        """Remove up to `max_parcels` parcels and `max_bytes` that may go now, and charge the pacer for them.

        With bundles take none after a packing cost of `max_records`.
        """
        if self.pacer is None:
            return self._take(max_parcels, max_records, max_bytes, math.inf, max_record_bytes)
        self.return_credit(now)
        allowed = min(max_parcels, self.pacer.records_allowed(now))
        taken = self._take(allowed, max_records, max_bytes, self.pacer.bytes_allowed(now), max_record_bytes)
        if taken:
            self.pacer.take(len(taken), sum(parcel.size for parcel in taken), now)
        return taken

    def close(self) -> None:
        """Take no more records: the shard is closed, or it is unknown and the map has changed."""
        self.is_closed = True
        self._returned.sort()  # for `take_youngest`; a sorted list is a heap as well

    def take_youngest(self, limit: int) -> list[Parcel]:
        """Remove parcels of a closed outbox that wait for another attempt, the youngest first, up to a limit."""
        taken: list[Parcel] = []
        while limit > 0 and self._returned:
            taken.append(self._returned.pop()[2])
            limit -= self._count_out(taken[-1])
        return taken

    def _take(
        self, max_parcels: int, max_records: int, max_bytes: int, paced_bytes: float, max_record_bytes: int
    ) -> list[Parcel]:
        taken: list[Parcel] = []
        while len(taken) < max_parcels and max_records > 0 and (parcel := self._first_returned()):
            if not self._fits(parcel.size, max_bytes, paced_bytes):
                return taken
            taken.append(self._pop_returned())
            max_records -= parcel.packing_cost
            max_bytes -= parcel.size
            paced_bytes -= parcel.size
        parcels_left = max_parcels - len(taken)
        if max_records <= 0:  # a bundle may have more records than were left
            return taken
        return [*taken, *self._take_queued(parcels_left, max_records, max_bytes, paced_bytes, max_record_bytes)]

    def _take_queued(
        self, max_parcels: int, max_records: int, max_bytes: int, paced_bytes: float, max_record_bytes: int
    ) -> Sequence[Parcel]:
        """Take records from the queue, each as a Kinesis record of its own."""
        del max_records, max_record_bytes  # they matter to bundles; each record was checked when it was put
        if not self.queue.count or max_parcels <= 0:
            return []
        head = self.queue.head().size
        if not self._fits(head, max_bytes, paced_bytes):
            return []
        return self.queue.take(max_parcels, min(max_bytes, max(head, paced_bytes)))

    def _fits(self, size: int, max_bytes: int, paced_bytes: float) -> bool:
        return size <= max_bytes and (self.pacer is None or self.pacer.fits(size, paced_bytes))

    def _ready(self) -> int:
        """Return the number of Kinesis records that may go as far as order and backoff are concerned."""
        return len(self._returned) + self.queue.count

    def _ready_bytes(self) -> int:
        """Return the bytes of those Kinesis records."""
        return self._returned_bytes + self.queue.bytes

    def _first_returned(self) -> Parcel | None:
        """Return the parcel that goes before the queue, if there is one."""
        return self._returned[0][2] if self._returned else None

    def _pop_returned(self) -> Parcel:
        parcel = heapq.heappop(self._returned)[2]
        self._count_out(parcel)
        return parcel

    def _count_out(self, parcel: Parcel) -> int:
        """Return the number of records in `parcel`, which has left the returned ones."""
        records = count_records(parcel)
        self._returned_bytes -= parcel.size
        self._returned_records -= records
        return records

    def __repr__(self) -> str:
        return f"<Outbox {self.shard_id}: {self.waiting} waiting>"
