"""The processor of one shard: collect its records, store them in groups, and save a checkpoint after each wave.

For each wave of groups (`cutting/shard_groups.py`), in this order:

1. Announce: write to the lease where the groups end. The write succeeds only while this worker holds the lease.
2. Create the objects. Their keys follow from the records and the cuts, and nothing is ever overwritten.
3. Save the checkpoint of the last record, which removes the announcement.

Killed at any moment, nothing is lost or stored twice:

- Before 1: nothing was created. The next owner cuts as it likes.
- After 1: the next owner reads the same records again and cuts them as announced. It creates the objects that are
  missing, and finds the others by their keys. It writes no checkpoint before the last of them.
- After 3: the next owner begins behind the wave.

A worker that was paused and wakes after it has lost its lease can do no more than the request it was about to make.
Announcing or saving is refused, because the lease has another owner. Creating an object makes the object that the next
owner makes, or made, under the same key: whichever request is first wins, and both have the same content.

While a wave cannot be stored, the shard is held, and `process` does not return when enough records wait. The leases are
renewed elsewhere, so a long outage of the store costs no lease.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from truckstream.consumer.leases.lease import PendingCheckpoint
from truckstream.errors import LeaseTableError
from truckstream.worker.cutting.shard_groups import ShardGroups
from truckstream.worker.storing.backoff import wait_after
from truckstream.worker.storing.shard_status import ShardStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from random import Random

    from truckstream.consumer.leases.lease import Checkpoint
    from truckstream.consumer.shard_processor import AssignedShard, EndReason
    from truckstream.kinesis.reading.shard_record import ShardRecord
    from truckstream.worker.cutting.group_cutter import CutLimits
    from truckstream.worker.cutting.shard_groups import Wave
    from truckstream.worker.storing.group_storer import GroupStorer

__all__ = ["ShardStorer"]

_logger = logging.getLogger("truckstream.worker")


class ShardStorer:
    """Stores one shard's records while this worker holds its lease. A `ShardProcessor`.

    Args:
        shard: the shard and its lease.
        storer: stores the groups.
        limits: when a group is cut.
        random: varies the waits.

    Raises:
        UsageError: a later version of the worker announced groups of the shard, so that this one does not know them.
    """

    def __init__(self, shard: AssignedShard, storer: GroupStorer, limits: CutLimits, random: Random) -> None:
        self.status = ShardStatus(shard.shard_id)
        self._shard = shard
        self._storer = storer
        self._groups = ShardGroups(limits, shard.start, shard.pending)
        self._random = random
        #: The sequence number of the last record that is stored; None if nothing of the shard is known to be.
        self._stored_up_to = _number(shard.start)
        self._task: asyncio.Task[None] | None = None
        #: No more records come, so that `process` need not wait; and `finish` was called, so that the last are due.
        self._ends_soon = False
        self._is_finishing = False
        #: Whether the storer has done, or given up, its work.
        self.has_ended = False
        #: Set when the task may have something to do; `_room` when `process` may have.
        self._wake = asyncio.Event()
        self._room = asyncio.Event()

    async def process(self, records: Sequence[ShardRecord], millis_behind: int) -> None:
        """Take the next records. Returns when there is room for more.

        Raises:
            LeaseLostError: another worker has the lease.
        """
        now = asyncio.get_running_loop().time()
        self._groups.add(records, now)
        self.status.millis_behind = millis_behind
        self.status.full_since = now
        self.status.records_held += len(records)
        task = self._start()
        while not task.done() and self._groups.is_full and not self._ends_soon:
            self._room.clear()
            await self._room.wait()
        self.status.full_since = None
        if task.done():
            task.result()

    def end_soon(self) -> None:
        """Let `process` return at once: `finish` stores the records that it took."""
        self._ends_soon = True
        self._room.set()

    async def finish(self, reason: EndReason) -> None:
        """Store everything that was collected, in a short group if necessary, and save the checkpoint.

        Does not return before that is done: the caller limits the time by cancelling. The next owner completes groups
        that were announced by then, and those of this worker's own predecessor if not all of their records have come.

        Raises:
            LeaseLostError: another worker has the lease.
        """
        self._groups.end(of_shard=reason == "shard_end")
        self._is_finishing = True
        try:
            await self._start()
        finally:
            self.has_ended = True

    def abandon(self) -> None:
        """Stop: the lease was lost. A request that is under way may still succeed, which does no harm."""
        self.has_ended = True
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> asyncio.Task[None]:
        """Return the task that stores the waves, awake."""
        if self._task is None:
            self._task = asyncio.create_task(self._store_waves())
            self._task.add_done_callback(self._on_end)
        self._wake.set()
        return self._task

    def _on_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # `process` raises it
        self._room.set()

    async def _store_waves(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            wave = self._groups.next_wave(now())
            self._log_problems()
            if wave is not None:
                self._room.set()
                await self._store(wave)
            elif self._is_finishing:
                return
            else:
                await self._wait_for_records()

    async def _wait_for_records(self) -> None:
        """Return when records came, or when the first one that came has waited long enough."""
        self._wake.clear()
        try:
            async with asyncio.timeout_at(self._groups.due_time):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _store(self, wave: Wave) -> None:
        self.status.wave_since = asyncio.get_running_loop().time()
        if not wave.is_announced:
            pending = PendingCheckpoint(wave.end, wave.note)
            await self._write_lease(lambda: self._shard.announce(pending))
        async with asyncio.TaskGroup() as tasks:
            for group in wave.groups:
                tasks.create_task(self._storer.store(group.records, self.status, self._stored_up_to))
                self._stored_up_to = _number(group.end)
        await self._write_lease(lambda: self._shard.save(wave.end))
        self.status.save(wave.records)
        _logger.debug("%s is stored up to %s", self._shard.shard_id, wave.end.sequence_number)

    async def _write_lease(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write to the lease until the table accepts it."""
        failures = 0
        while True:
            try:
                await write()
            except LeaseTableError as error:
                failures += 1
                wait = wait_after(failures, self._random)
                if self.status.fail(error, asyncio.get_running_loop().time()):
                    _logger.warning(
                        "%s is held: its lease cannot be written, next attempt in %.1f s. %s",
                        *(self._shard.shard_id, wait, error),
                    )
            else:
                return
            await asyncio.sleep(wait)

    def _log_problems(self) -> None:
        for problem in self._groups.take_problems():
            _logger.log(
                logging.ERROR if problem.is_loss else logging.WARNING, "%s: %s", self._shard.shard_id, problem.text
            )


def _number(checkpoint: Checkpoint) -> str | None:
    """Return the sequence number of a checkpoint; None if it is a word such as TRIM_HORIZON."""
    number = checkpoint.sequence_number
    return number if number.isdecimal() else None
