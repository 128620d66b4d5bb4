"""When to ask a shard for its next page: often while records come, once a second while none do.

A record is delivered within 250 ms of its storing, if the last one came less than 2.2 seconds before, the calls take
less than 30 ms, and no other reader uses up the quota. A longer pause costs the next record up to a second. In return a
stream of 1,000 idle shards is asked 1,000 times a second, and not 4,500 times. The interval grows with the time since
the last record, so that a shard with a record every other second still counts as busy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from truckstream.kinesis.reading.shard_record import RecordsPage

__all__ = ["Polling"]

#: Between the starts of two calls. The quota of 5 calls a second allows 0.2; the rest is room for jitter.
BUSY_SECONDS: Final = 0.22
IDLE_SECONDS: Final = 1.0
#: The interval is this part of the time since the last record, between the two bounds.
PART_OF_IDLE_TIME: Final = 0.1


class Polling:
    """The intervals between the calls to one shard. The read quota is another matter, see `ReadPacer`."""

    __slots__ = ("_last_record_at", "_next_at")

    def __init__(self, now: float) -> None:
        self._last_record_at = now
        self._next_at = now

    def next_call(self) -> float:
        """Return when to ask for the next page."""
        return self._next_at

    def on_page(self, page: RecordsPage, asked_at: float, limit: int) -> None:
        """Take into account a page that was asked for at `asked_at`, with at most `limit` records."""
        if page.records:
            self._last_record_at = asked_at
        if page.millis_behind > 0 or len(page.records) >= limit:
            self._next_at = asked_at
            return
        idle = asked_at - self._last_record_at
        self._next_at = asked_at + min(max(BUSY_SECONDS, idle * PART_OF_IDLE_TIME), IDLE_SECONDS)
