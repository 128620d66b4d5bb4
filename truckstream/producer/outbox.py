"""The queue for one shard: records in the order of put, with the shard's pace.

A stream whose shards are not known (the caller may not list them) has one outbox, without a pace.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.producer.entry import Entry
    from truckstream.producer.pacing import ShardPace

__all__ = ["Outbox"]


class Outbox:
    """Records that wait to go to one shard."""

    __slots__ = ("acked", "backed_off", "in_flight", "pace", "queue", "queued_bytes", "shard_id", "throttled")

    def __init__(self, shard_id: str | None, pace: ShardPace | None) -> None:
        self.shard_id = shard_id
        self.pace = pace
        self.queue: deque[Entry] = deque()
        self.queued_bytes = 0
        # Counters for the statistics.
        self.in_flight = 0
        self.backed_off = 0
        self.acked = 0
        self.throttled = 0

    def append(self, entry: Entry) -> None:
        self.queue.append(entry)
        self.queued_bytes += entry.size

    def return_to_front(self, entries: Sequence[Entry]) -> None:
        """Put back `entries`, which are older than anything queued, in their order."""
        self.queue.extendleft(reversed(entries))
        self.queued_bytes += sum(entry.size for entry in entries)

    def pop(self) -> Entry:
        entry = self.queue.popleft()
        self.queued_bytes -= entry.size
        return entry

    def allowance(self, now: float) -> int:
        """How many records the pace lets go now."""
        return self.pace.records_allowed(now) if self.pace else len(self.queue)

    def due_at(self, now: float, flushed_epoch: int) -> float:
        """When this queue asks for a request: its oldest record has waited long enough, and the pace allows."""
        if not self.queue:
            return math.inf
        head = self.queue[0]
        company = now if head.epoch <= flushed_epoch else head.linger_until
        paced = self.pace.when(len(self.queue), self.queued_bytes, head.size, now) if self.pace else now
        return max(company, paced)

    def take(self, max_records: int, max_bytes: int, now: float) -> list[Entry]:
        """Remove up to `max_records` records and `max_bytes` that may go now, and pay for them."""
        allowed = min(max_records, self.allowance(now))
        bytes_left = self.pace.bytes_allowed(now) if self.pace else math.inf
        taken: list[Entry] = []
        size = 0
        while self.queue and len(taken) < allowed:
            entry = self.queue[0]
            if size + entry.size > max_bytes or (self.pace and not self.pace.fits(entry.size, bytes_left)):
                break
            taken.append(self.pop())
            size += entry.size
            bytes_left -= entry.size
        if self.pace and taken:
            self.pace.take(len(taken), size, now)
        return taken

    def __repr__(self) -> str:
        return f"<Outbox {self.shard_id}: {len(self.queue)} queued, {self.in_flight} in flight>"
