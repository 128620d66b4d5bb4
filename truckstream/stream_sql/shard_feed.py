"""The processor of one shard: decode its records, and add them to their windows."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from truckstream.stream_sql.windowing.read_shard import position_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.consumer.shard_processor import AssignedShard, EndReason
    from truckstream.kinesis.reading.shard_record import ShardRecord
    from truckstream.stream_sql.records.decoding import RecordDecoder
    from truckstream.stream_sql.windowing.open_windows import BufferedWindows

__all__ = ["FeedCounts", "ShardFeed"]


@dataclass(slots=True)
class FeedCounts:
    """Records of all shards that were read, and that no window has."""

    read: int = 0
    rejected: int = 0
    without_time: int = 0


@dataclass(slots=True)
class ShardFeed:
    """Adds the records of one shard to the windows. A `ShardProcessor`."""

    shard: AssignedShard
    windows: BufferedWindows
    decoder: RecordDecoder
    counts: FeedCounts
    #: No more records are wanted, so that `process` does not wait for room.
    _ends_soon: bool = field(default=False, init=False)
    _may_have_room: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def process(self, records: Sequence[ShardRecord], millis_behind: int) -> None:
        """Add the next records, and return when there is memory for more.

        While the memory is full, those of a shard that is ahead already are not added: many shards would exceed it.

        Raises:
            UsageError: the windows need more memory than there may be.
        """
        shard_id = self.shard.shard_id
        if records:
            while self.windows.is_ahead(shard_id) and self._must_wait():
                await self._next_step()
            decoded = self.decoder.decode(records)
            self.counts.read += len(records)
            self.counts.rejected += decoded.rejected
            self.counts.without_time += decoded.without_time
            self.windows.add(shard_id, decoded, position_of(records[-1]), time.time())
        elif millis_behind == 0:
            self.windows.reach_tip(shard_id, time.time())
        while self._must_wait():
            await self._next_step()

    def _must_wait(self) -> bool:
        return not self._ends_soon and self.windows.must_wait(self.shard.shard_id, time.time())

    async def _next_step(self) -> None:
        self._may_have_room.clear()
        # Only the records of the shards that hold the watermark back free memory, so they must be read on.
        is_ahead = self.windows.is_ahead(self.shard.shard_id)
        with self.shard.blocked_by_others() if is_ahead else nullcontext():
            await self._may_have_room.wait()

    def wake(self) -> None:
        """Look for memory again: a step was made."""
        self._may_have_room.set()

    def end_soon(self) -> None:
        """Let `process` return."""
        self._ends_soon = True
        self.wake()

    async def finish(self, reason: EndReason) -> None:
        """Note the end of the shard. Its records stay in their windows."""
        if reason == "shard_end":
            self.windows.end_shard(self.shard.shard_id)

    def abandon(self) -> None:
        """Do nothing: nobody else takes the shard, whose lease is in the memory of this process."""
