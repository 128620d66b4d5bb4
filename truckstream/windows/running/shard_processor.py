"""The processor of one shard: records into windows, results into the sink, and the state beside the checkpoint.

In this order, again and again:

1. Add the records that came, and write the results that are due to the sink.
2. From time to time, save the state under the name of the last record's checkpoint.
3. Save the checkpoint in the lease table.
4. Delete the older states.

Killed at any moment, no result is lost or counted twice:

- Before 3: the next owner begins at the older checkpoint, whose state still exists. It reads the same records and makes
  the same results with the same revisions, which the sink has already or gets now.
- After 3: it begins at the new checkpoint. All results of the records before it are in the sink.

At the end of a shard its last state is saved instead of 2 to 4, before the consumer writes SHARD_END. The children
begin with it. When all of them have a checkpoint of their own, it is deleted.

A worker that was paused and wakes after it has lost its lease can write results of earlier revisions, which the sink
drops, and the state of a checkpoint that was refused, which the next owner writes again with the same content.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from truckstream.consumer.processing.batch import checkpoint_of
from truckstream.errors import LeaseTableError, StoreError
from truckstream.windows.shard_windows import ShardWindows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.consumer import AssignedShard, Checkpoint, EndReason
    from truckstream.kinesis.reading.shard_record import ShardRecord
    from truckstream.windows.plan import WindowPlan
    from truckstream.windows.running.shard_states import ShardStates
    from truckstream.windows.running.sink import Sink

__all__ = ["WindowProcessor"]

_logger: Final = logging.getLogger("truckstream.windows")

#: Records between which other tasks may run: some ten milliseconds of work.
_RECORDS_AT_ONCE: Final = 2_000

#: Seconds between two attempts at reading the first state of a shard, or at saving its last one.
_RETRY_SECONDS: Final = 1.0


class WindowProcessor:
    """A `ShardProcessor` that makes windows.

    Args:
        shard: the shard and its lease.
        plan: the windows.
        states: the shard's states; None if they are not kept.
        sink: gets the results.
        checkpoint_interval: seconds between two checkpoints.
        wall_clock: returns the seconds since the epoch.
    """

    def __init__(
        self,
        shard: AssignedShard,
        plan: WindowPlan,
        states: ShardStates | None,
        sink: Sink,
        *,
        checkpoint_interval: float,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        #: The shard's name in the results. Shards of several streams have the same ids.
        self.part = f"{shard.stream_name}/{shard.shard_id}"
        self.has_ended = False
        self.windows = ShardWindows(plan, self.part, hash_range=shard.hash_range, now=wall_clock())
        self._shard = shard
        self._states = states
        self._sink = sink
        self._interval = checkpoint_interval
        self._wall_clock = wall_clock
        self._is_open = False
        #: After the last record that was added; None before the first one, or if its checkpoint is saved.
        self._unsaved: Checkpoint | None = None
        self._saved_at = asyncio.get_running_loop().time()

    async def process(self, records: Sequence[ShardRecord], millis_behind: int) -> None:
        """Add records and write the results that are due.

        Raises:
            LeaseLostError: another worker has the lease.
            WindowStateError: the shard's state cannot be used.
            WindowsFullError: there are too many groups.
        """
        await self._open()
        for start in range(0, len(records), _RECORDS_AT_ONCE):
            self.windows.add(records[start : start + _RECORDS_AT_ONCE], self._wall_clock())
            await asyncio.sleep(0)
        if records:
            self._unsaved = checkpoint_of(records[-1])
        elif millis_behind == 0:
            self.windows.reach_tip(self._wall_clock())
        await self._write_results()
        if self._unsaved and asyncio.get_running_loop().time() >= self._saved_at + self._interval:
            await self._save_or_log()

    def end_soon(self) -> None:
        """Nothing to do: `process` takes no longer than the sink and the store."""

    async def finish(self, reason: EndReason) -> None:
        """Write the results that are due, and save the state and the checkpoint.

        Raises as `process` does.
        """
        try:
            await self._finish(reason)
        finally:
            self.has_ended = True

    async def _finish(self, reason: EndReason) -> None:
        if reason == "shard_end":
            await self._open()
            await self._write_results()
            await self._save_end()
        elif self._unsaved:
            await self._write_results()
            await self._save_or_log()

    def abandon(self) -> None:
        """Leave the rest to the next owner of the lease, which begins at the last checkpoint."""
        self.has_ended = True

    async def _open(self) -> None:
        """Go on from the state of the checkpoint where reading begins, as soon as the store can be read."""
        while not self._is_open:
            try:
                if self._states is not None:
                    await self._states.restore(self.windows, self._wall_clock())
                self._is_open = True
            except StoreError as error:
                if not error.retryable:
                    raise
                _logger.warning("%s: the state cannot be read yet: %s", self._shard.shard_id, error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _write_results(self) -> None:
        results = self.windows.take_results(self._wall_clock())
        if results:
            await self._sink.write(results)

    async def _save_or_log(self) -> None:
        """Save state and checkpoint. If that fails for now, the records come again after a restart."""
        assert self._unsaved is not None  # noqa: S101 - see the callers
        self._saved_at = asyncio.get_running_loop().time()
        try:
            if self._states is not None:
                await self._states.save(self._unsaved, self.windows.snapshot())
            await self._shard.save(self._unsaved)
            self._unsaved = None
            if self._states is not None:
                await self._states.clean_up()
        except (StoreError, LeaseTableError) as error:
            _logger.warning("%s: the checkpoint is not complete yet: %s", self._shard.shard_id, error)

    async def _save_end(self) -> None:
        """Save the last state. Without it the children could not begin, so this goes on until it succeeds."""
        while self._states is not None:
            try:
                await self._states.save_end(self.windows.snapshot())
            except StoreError as error:
                _logger.warning("%s: the last state is not stored yet: %s", self._shard.shard_id, error)
            else:
                return
            await asyncio.sleep(_RETRY_SECONDS)
