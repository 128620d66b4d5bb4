"""Moves the records of closed shards to open ones after a reshard, some at a time.

A full buffer holds 110,000 records, and routing each by its key again can take half a second. So a step moves a limited
number, and the event loop runs between two steps. Nothing is sent meanwhile: no record can overtake an older one that
has not been moved yet.

The youngest record moves first, each step to the front of the queues. Records that were put since the reshard stand
behind, and no step has to sort the records of earlier ones again.

With `ordered=True` the lanes of the keys move. A lane that has not been moved stays in the queue of the closed shard,
and takes new records there.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, cast

from truckstream.producer.queueing.fifo_queue import FifoQueue
from truckstream.producer.queueing.outbox import count_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.producer.queueing.keyed_queue import KeyedQueue, Lane, LaneKey
    from truckstream.producer.queueing.outbox import Outbox, Parcel, QueuedRecord, RecordQueue
    from truckstream.producer.routing.router import Resharded, Router

__all__ = ["Relocation"]


class Relocation:
    """The closed outboxes whose records have not been moved yet."""

    def __init__(self, router: Router) -> None:
        self._router = router
        #: The earliest closed first.
        self.outboxes: dict[Outbox, None] = {}
        #: The groups' fronts before the reshard, with records of closed shards and of open ones.
        self.fronts: list[FifoQueue] = []
        # With `ordered=True`: the lanes to look at, as they were when the last outboxes were added.
        self._lanes: list[LaneKey] = []

    def add(self, resharded: Resharded) -> None:
        """Move these records in the steps to come."""
        self.outboxes |= dict.fromkeys(resharded.outboxes)
        self.fronts += resharded.fronts
        self._lanes = list(self._router.lanes)

    def add_returned(self, outbox: Outbox) -> None:
        """Move the parcels that have come back to `outbox`, which was closed earlier."""
        outbox.close()
        self.outboxes[outbox] = None

    def take(self, limit: int) -> Iterator[list[Parcel]]:
        """Remove parcels that have not been moved, up to about `limit` records."""
        for front in self.fronts:
            if limit > 0 and (records := front.take_expired(math.inf, limit)):
                limit -= len(records)
                yield [*records]
        for outbox in self.outboxes:
            while limit > 0 and (parcels := outbox.take_expired(math.inf, limit)):
                limit -= sum(map(count_records, parcels))
                yield parcels

    def step(self, limit: int) -> int:
        """Move up to about `limit` records. Return how much of the limit is left: 0 or less if records may be left."""
        if not self.outboxes and not self.fronts:
            return limit
        limit = self._move_lanes(limit) if self._lanes else self._move_queued(limit)
        limit = self._move_returned(limit)
        if limit > 0:
            self.outboxes.clear()
            self.fronts.clear()
        return limit

    def _move_queued(self, limit: int) -> int:
        """Move records that were never sent."""
        queues = [queue for outbox in self.outboxes if isinstance(queue := outbox.queue, FifoQueue) and queue.count]
        queues += (front for front in self.fronts if front.count)
        # Among records of one age the outbox that was closed last has the younger ones, and a front still younger ones.
        heap = [(-queue.youngest().put_at, -index, queue) for index, queue in enumerate(queues)]
        heapq.heapify(heap)
        moved: dict[RecordQueue, list[QueuedRecord]] = {}
        while heap and limit > 0:
            _, index, queue = heap[0]
            record = queue.pop_youngest()
            outbox = self._router.reroute(record) if record.outbox.is_closed else record.outbox
            moved.setdefault(outbox.entry, []).append(record)
            limit -= 1
            if queue.count:
                heapq.heapreplace(heap, (-queue.youngest().put_at, index, queue))
            else:
                heapq.heappop(heap)
        for entry, records in moved.items():
            records.reverse()
            entry.put_back(records)
            if self._router.has_own_queues:  # then all records of an entry belong to one outbox
                records[0].outbox.group.add(records[0].outbox)
        return limit

    def _move_lanes(self, limit: int) -> int:
        """Move lanes, open and closed ones, with all of their records."""
        while self._lanes and limit > 0:
            key = self._lanes.pop()
            limit -= 1
            if lane := self._router.lanes.get(key):  # or all of its records have their outcome
                limit -= self._move_lane(key, lane)
        return limit

    def _move_lane(self, key: LaneKey, lane: Lane) -> int:
        partition_key, hash_key = (key, None) if isinstance(key, str) else key
        outbox = self._router.route(partition_key, hash_key).outbox
        if outbox.queue is lane.queue:
            return 0
        for record in lane.records:
            record.outbox = outbox
        cast("KeyedQueue", outbox.queue).adopt(lane)
        outbox.group.add(outbox)
        return len(lane.records)

    def _move_returned(self, limit: int) -> int:
        """Move parcels that wait for another attempt."""
        for outbox in reversed(self.outboxes):
            while limit > 0 and (parcels := outbox.take_youngest(limit)):
                limit -= sum(map(count_records, parcels))
                self._router.requeue(parcels)
        return limit
