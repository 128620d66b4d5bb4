"""Shards whose records go in the same requests.

Work must depend on the records and not on the number of shards, so nothing here looks at a shard without records:

- Records are put into the *front*, one queue for all shards of the group. When they are due, those go whose shard has
  credit (`Outbox.refill`). The others move to their shard's own queue, and so do all that follow them there until that
  queue is empty.
- Outboxes with a queue of their own that is not empty are in heaps, by the time when they are due. With `ordered` or
  `aggregate` each shard's records need a queue of their own, so they are put there, and the front stays empty.

A group can be exclusive: then one of its requests is in flight at a time, so no record is stored before an older one of
its shard while nothing fails. There are two exceptions. A request that takes longer than `OVERTAKEN_SECONDS` is
overtaken, because one connection in trouble must not leave its shards empty. And a shard that throttles has lost the
order already, while other writers that do not wait would take its quota; so it does not wait, either.

The groups share the shards evenly. There are as many as requests may be in flight, so that the shards of one need not
wait for those of another.
"""

from __future__ import annotations

import heapq
import itertools
import math
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from truckstream.producer.pacing.shard_pacer import BURST_SECONDS, STEP_SECONDS
from truckstream.producer.queueing.fifo_queue import FifoQueue
from truckstream.producer.queueing.outbox import count_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from truckstream.producer.options import ProducerOptions
    from truckstream.producer.queueing.outbox import Outbox, Parcel, QueuedRecord
    from truckstream.producer.queueing.request_draft import RequestDraft

__all__ = ["OVERTAKEN_SECONDS", "ShardGroup"]

#: A request that takes longer no longer holds the next ones of its shards back. Usual responses take 10 to 50 ms. So
#: long a wait costs a shard nothing, because its pacer saves up as much; a longer one would.
OVERTAKEN_SECONDS: Final = BURST_SECONDS

#: A request takes along what is due so soon. So the steps of saturated shards fall together in full requests.
ALONG_SECONDS: Final = STEP_SECONDS / 2

#: A pacer is asked again after this time at the latest: its rate may have grown. A record of 1 MiB may have to wait for
#: 50 s at the lowest rate, which grows back to the shard's quota in some seconds.
LONGEST_PACE_SECONDS: Final = 1.0

#: Outboxes by a time. The second item decides between equal times.
Heap: TypeAlias = "list[tuple[float, int, Outbox]]"

_size: Callable[[Parcel], int] = attrgetter("size")
_ties: Final = itertools.count()


class ShardGroup:
    """The records that wait for the shards of one group.

    Args:
        options: the producer's options.
        exclusive: whether only one request with records of the group is in flight at a time.
    """

    __slots__ = (
        *("_expiring", "_fresh", "_is_hurried", "_lingering", "_newly_held", "_options", "_paced", "_request"),
        *("_unordered", "_uses_front"),
        *("__weakref__", "exclusive", "front", "opens_at"),
    )

    def __init__(self, options: ProducerOptions, *, exclusive: bool) -> None:
        self._options = options
        self.exclusive = exclusive
        #: Records of all shards, in the order of put.
        self.front = FifoQueue()
        #: No request may take records of this group before; -inf if none is in flight.
        self.opens_at = -math.inf
        self._request: object = None
        self._uses_front = not (options.aggregate or options.ordered)
        # Outboxes that hold records since the front was empty last.
        self._newly_held: set[Outbox] = set()
        # Outboxes with records in their own queue: those that came since the last `sort`; those that linger; those that
        # are due as soon as their pacer allows, and among them the ones that do not wait for a request in flight; and
        # all of them by the deadline of their oldest record.
        self._fresh: list[Outbox] = []
        self._lingering: Heap = []
        self._paced: Heap = []
        self._unordered: Heap = []
        self._expiring: Heap = []
        self._is_hurried = False

    # --- What is due ------------------------------------------------------------------------------

    def add(self, outbox: Outbox) -> None:
        """`outbox` has got records in its own queue, or may send them earlier than before."""
        if not outbox.is_fresh:
            outbox.is_fresh = True
            self._fresh.append(outbox)
        expires_at = outbox.expires_at()
        if expires_at < outbox.expiring_at:
            outbox.expiring_at = expires_at
            heapq.heappush(self._expiring, (expires_at, next(_ties), outbox))

    def hurry(self) -> None:
        """Let the records that are in outboxes linger no more: they fill a request, or a flush waits for them."""
        self._is_hurried = bool(self._lingering or self._fresh)

    def sort(self, now: float, flushed: int, limit: int) -> int:
        """Find out when outboxes are due that were added, and which have lingered. Return what is left of `limit`."""
        while self._fresh and limit > 0:
            outbox = self._fresh.pop()
            outbox.is_fresh = False
            self._enter(outbox, now, flushed)
            limit -= 1
        while self._lingering and limit > 0 and (self._is_hurried or self._lingering[0][0] <= now):
            at, _, outbox = heapq.heappop(self._lingering)
            if at == outbox.scheduled_at:
                self._pace(outbox, now)
                limit -= 1
        if not self._lingering:
            self._is_hurried = False
        return limit

    @property
    def has_lingering(self) -> bool:
        """Whether records of outboxes linger, which `hurry` would end."""
        return bool(self._lingering or self._fresh)

    def due_at(self, flushed: int) -> float:
        """Return when a request is due."""
        at = min(self._front_due_at(flushed), _first_time(self._lingering), _first_time(self._paced))
        return min(max(at, self.opens_at), _first_time(self._unordered))

    def room_in_front(self) -> tuple[int, int]:
        """Return how many records and bytes more make the front a full request."""
        front, options = self.front, self._options
        return options.max_batch_records - front.count, options.max_batch_bytes - front.bytes

    def _front_due_at(self, flushed: int) -> float:
        if not self.front.count:
            return math.inf
        head = self.front.head()
        if head.epoch <= flushed or min(self.room_in_front()) <= 0:
            return -math.inf
        return self._lingers_until()

    def _lingers_until(self) -> float:
        """Return when the oldest record of the front has lingered long enough; infinity if there is none."""
        return self.front.head().put_at + self._options.linger if self.front.count else math.inf

    def _enter(self, outbox: Outbox, now: float, flushed: int) -> None:
        """Put `outbox` in its place, if it has records to send."""
        if outbox.is_closed:
            return
        outbox.scheduled_at = math.inf
        lingers_until = outbox.lingers_until(flushed)
        outbox.is_held = lingers_until < math.inf
        if not outbox.is_held:
            if self._uses_front:
                outbox.entry = self.front
            return
        if lingers_until > now:
            outbox.scheduled_at = lingers_until
            heapq.heappush(self._lingering, (lingers_until, next(_ties), outbox))
        else:
            self._pace(outbox, now)

    def _pace(self, outbox: Outbox, now: float) -> None:
        outbox.scheduled_at = at = min(outbox.paced_at(now), now + LONGEST_PACE_SECONDS)
        is_ordered = outbox.pacer is None or outbox.pacer.is_calm(now)
        heapq.heappush(self._paced if is_ordered else self._unordered, (at, next(_ties), outbox))

    # --- What goes --------------------------------------------------------------------------------

    def fill(self, draft: RequestDraft, now: float, flushed: int) -> bool:
        """Move to `draft` what may go now; first what has been due longest, so that no shard waits for ever.

        Return whether `on_sent` has to be called when the draft is sent, and `on_ended` when it has its response.
        """
        is_open = self.opens_at <= now
        if not is_open or _first_time(self._unordered) < min(_first_time(self._paced), self._lingers_until()):
            self._fill_from_outboxes(self._unordered, draft, now, flushed)
        if not is_open:
            return False
        before = len(draft.parcels)
        self._fill_in_order(draft, now, flushed)
        takes_turn = self.exclusive and len(draft.parcels) > before
        self._fill_from_outboxes(self._unordered, draft, now, flushed)
        return takes_turn

    def _fill_in_order(self, draft: RequestDraft, now: float, flushed: int) -> None:
        """Move the records whose order is kept."""
        if self._lingers_until() < _first_time(self._paced):
            self._fill_from_front(draft, now)
        self._fill_from_outboxes(self._paced, draft, now, flushed)
        self._fill_from_front(draft, now)
        if self._fresh:  # shards whose credit has come to its end
            self.sort(now, flushed, len(self._fresh))
            self._fill_from_outboxes(self._paced, draft, now, flushed)
        self._fill_from_outboxes(self._lingering, draft, now, flushed, until=math.inf)

    def on_sent(self, request: object, now: float) -> None:
        """`request` has what `fill` took."""
        self._request = request
        self.opens_at = now + OVERTAKEN_SECONDS

    def on_ended(self, request: object) -> None:
        """`request` has ended."""
        if self._request is request:
            self._request = None
            self.opens_at = -math.inf

    def _fill_from_outboxes(
        self, heap: Heap, draft: RequestDraft, now: float, flushed: int, *, until: float | None = None
    ) -> None:
        """Move what outboxes in `heap` may send that are due at `until` at the latest, by default soon."""
        if until is None:
            until = now + ALONG_SECONDS
        visited: list[Outbox] = []
        while heap and draft.has_room and heap[0][0] <= until:
            at, _, outbox = heapq.heappop(heap)
            if at != outbox.scheduled_at or outbox.is_closed:
                continue
            outbox.scheduled_at = math.inf
            visited.append(outbox)
            if not draft.take_from(outbox, now):
                break
        for outbox in visited:
            self._enter(outbox, now, flushed)

    def _fill_from_front(self, draft: RequestDraft, now: float) -> None:
        while self.front.count and draft.has_room and draft.may_hold_more:
            before = self.front.bytes
            records = self.front.take(draft.records_left, draft.bytes_left)
            if not records:
                return
            size = before - self.front.bytes
            if self._options.pacing and (held := self._hold_back(records, now)):
                records = [record for record in records if record not in held]
                size -= sum(map(_size, held))
                draft.held += len(held)
            draft.add(records, size)
        if self._newly_held and not self.front.count:
            self._put_past_front()

    def _hold_back(self, records: list[QueuedRecord], now: float) -> set[QueuedRecord]:
        """Let those of `records` wait in their outboxes that may not go, and return them.

        Takes 0.15 µs a record: each may belong to another shard.
        """
        held: set[QueuedRecord] = set()
        for record in records:
            outbox = record.outbox
            records_left = outbox.records_left - 1
            bytes_left = outbox.bytes_left - record.size
            if records_left < 0 or bytes_left < 0:
                if outbox.is_held or not outbox.refill(record.size, now):
                    held.add(record)
                    self._hold(outbox, record)
                    continue
                records_left, bytes_left = outbox.records_left - 1, outbox.bytes_left - record.size
            outbox.records_left = records_left
            outbox.bytes_left = bytes_left
        return held

    def _hold(self, outbox: Outbox, record: QueuedRecord) -> None:
        outbox.queue.append(record)
        if not outbox.is_held:
            outbox.is_held = True
            self.add(outbox)
            self._newly_held.add(outbox)

    def _put_past_front(self) -> None:
        """Let puts go straight to the outboxes that hold records: the front has none of theirs."""
        for outbox in self._newly_held:
            if outbox.is_held and not outbox.is_closed:
                outbox.entry = outbox.queue
        self._newly_held.clear()

    # --- Deadlines --------------------------------------------------------------------------------

    def expires_at(self) -> float:
        """Return when the oldest record has its deadline, or somewhat earlier."""
        queued = self.front.head().put_at + self._options.delivery_timeout if self.front.count else math.inf
        return min(queued, self._expiring[0][0]) if self._expiring else queued

    def take_expired(self, now: float, limit: int) -> Iterator[list[Parcel]]:
        """Remove parcels whose oldest record is past its deadline, until they have `limit` records.

        They must be settled before the next ones are taken: a key's next record may be as old.
        """
        if self.front.count and (expired := self.front.take_expired(now - self._options.delivery_timeout, limit)):
            limit -= len(expired)
            yield [*expired]
        while limit > 0 and self._expiring and self._expiring[0][0] <= now:
            at, _, outbox = heapq.heappop(self._expiring)
            if at != outbox.expiring_at or outbox.is_closed:
                continue
            while limit > 0 and (parcels := outbox.take_expired(now, limit)):
                limit -= sum(map(count_records, parcels))
                yield parcels
            outbox.expiring_at = math.inf
            self.add(outbox)


def _first_time(heap: Heap) -> float:
    """Return the first time in `heap`; infinity if it is empty. Entries that are no longer valid are removed."""
    while heap and heap[0][0] != heap[0][2].scheduled_at:
        heapq.heappop(heap)
    return heap[0][0] if heap else math.inf
