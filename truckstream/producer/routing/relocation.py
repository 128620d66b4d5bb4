"""Moves the records of closed shards to the outboxes of open ones after a reshard, some at a time.

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
from typing import TYPE_CHECKING, cast

from truckstream.producer.queueing.fifo_queue import FifoQueue
from truckstream.producer.queueing.outbox import count_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.producer.queueing.keyed_queue import KeyedQueue, Lane, LaneKey
    from truckstream.producer.queueing.outbox import Outbox, QueuedRecord
    from truckstream.producer.routing.router import Router

__all__ = ["Relocation"]


class Relocation:
    """The closed outboxes whose records have not been moved yet."""

    def __init__(self, router: Router) -> None:
        self._router = router
        #: The earliest closed first.
        self.outboxes: dict[Outbox, None] = {}
        # With `ordered=True`: the lanes to look at, as they were when the last outboxes were added.
        self._lanes: list[LaneKey] = []

    def add(self, outboxes: Sequence[Outbox]) -> None:
        """Move the records of `outboxes`, which were closed just now, in the steps to come."""
        self.outboxes |= dict.fromkeys(outboxes)
        self._lanes = list(self._router.lanes)

    def add_returned(self, outbox: Outbox) -> None:
        """Move the parcels that have come back to `outbox`, which was closed earlier."""
        outbox.close()
        self.outboxes[outbox] = None

    def step(self, limit: int) -> int:
        """Move up to about `limit` records. Return how much of the limit is left: 0 or less if records may be left."""
        if not self.outboxes:
            return limit
        limit = self._move_lanes(limit) if self._lanes else self._move_queued(limit)
        limit = self._move_returned(limit)
        if limit > 0:
            self.outboxes.clear()
        return limit

    def _move_queued(self, limit: int) -> int:
        """Move records that were never sent."""
        queues = [queue for outbox in self.outboxes if isinstance(queue := outbox.queue, FifoQueue) and queue.count]
        # Among records of one age the outbox that was closed last has the younger ones.
        heap = [(-queue.youngest().put_at, -index, queue) for index, queue in enumerate(queues)]
        heapq.heapify(heap)
        moved: dict[Outbox, list[QueuedRecord]] = {}
        while heap and limit > 0:
            _, index, queue = heap[0]
            record = queue.pop_youngest()
            moved.setdefault(self._router.reroute(record), []).append(record)
            limit -= 1
            if queue.count:
                heapq.heapreplace(heap, (-queue.youngest().put_at, index, queue))
            else:
                heapq.heappop(heap)
        for outbox, records in moved.items():
            records.reverse()
            outbox.queue.put_back(records)
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
        return len(lane.records)

    def _move_returned(self, limit: int) -> int:
        """Move parcels that wait for another attempt."""
        for outbox in reversed(self.outboxes):
            while limit > 0 and (parcels := outbox.take_youngest(limit)):
                limit -= sum(map(count_records, parcels))
                self._router.requeue(parcels)
        return limit
