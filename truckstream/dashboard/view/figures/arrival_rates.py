"""The rate at which records arrived in a shard, from records that are seen in bursts and late.

A reader gets a shard's records once or several times a second, and after a pause many at once. Counted by the time at
which they are seen, a full shard would seem to be at 0, then at three times its limit. So records are counted in slots
of the time at which they arrived, and a rate is that of the last slots that are complete.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ArrivalRates"]

#: Seconds of one slot, and the number of slots of which a rate is the mean.
SLOT_SECONDS: Final = 0.5
SLOTS: Final = 6
#: Seconds without a record after which time goes on without them. A reader may take so long between two calls.
SILENCE_SECONDS: Final = 2.0


class ArrivalRates:
    """Counts the records and bytes of one shard, or of anything else that arrives."""

    __slots__ = ("_first", "_newest", "_seen_at", "_slots")

    def __init__(self) -> None:
        self._slots: dict[int, list[float]] = {}
        self._first: int | None = None
        self._newest = 0.0
        self._seen_at = 0.0

    def add(self, arrival: float, records: float, size: float, now: float) -> None:
        """Count records that arrived at one time and are seen now."""
        slot = int(arrival / SLOT_SECONDS)
        counts = self._slots.get(slot)
        if counts is None:
            counts = self._begin(slot)
        counts[0] += records
        counts[1] += size
        self._newest = max(self._newest, arrival)
        self._seen_at = now

    def per_second(self, now: float) -> tuple[float, float]:
        """Return records and bytes a second."""
        if self._first is None:
            return 0.0, 0.0
        edge = self._newest + max(0.0, now - self._seen_at - SILENCE_SECONDS)
        end = int(edge / SLOT_SECONDS)  # the slot of the edge is not complete
        start = max(end - SLOTS, self._first)
        found = [counts for slot, counts in self._slots.items() if start <= slot < end]
        seconds = max(1.0, (end - start) * SLOT_SECONDS)
        return sum(counts[0] for counts in found) / seconds, sum(counts[1] for counts in found) / seconds

    def _begin(self, slot: int) -> list[float]:
        if self._first is None:
            self._first = slot
        counts = self._slots[slot] = [0, 0]
        for old in sorted(self._slots)[: -2 * SLOTS]:
            del self._slots[old]
        return counts
