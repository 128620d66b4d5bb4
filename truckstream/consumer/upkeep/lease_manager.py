"""The shell of the leases: reads the table, takes leases, hands them over, and keeps them in step with the shards.

Three tasks work side by side, and none waits for the reader of the shards: `_watch` reads the table and carries out the
decisions of `Assignment`, `HeldLeases` renews, and `ShardKeeper` creates leases for new shards.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from truckstream.consumer.leases.assignment import Assignment
from truckstream.consumer.leases.lease_changes import (
    announced,
    asked_for,
    ended,
    handed_back,
    saved,
    taken,
    withdrawn,
)
from truckstream.consumer.leases.lease_view import LeaseView
from truckstream.consumer.leases.shard_sync import child_lease, lease_key, parents_without_lease
from truckstream.consumer.upkeep.held_leases import HeldLeases, wait_for
from truckstream.consumer.upkeep.shard_keeper import ShardKeeper
from truckstream.errors import LeaseLostError, LeaseTableError

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from truckstream.consumer.leases.lease import Checkpoint, Lease, PendingCheckpoint
    from truckstream.consumer.leases.lease_table import LeaseTable
    from truckstream.consumer.leases.options import LeaseOptions
    from truckstream.consumer.leases.tenure import Tenure, TenureListener
    from truckstream.consumer.upkeep.shard_keeper import ListShards
    from truckstream.kinesis.reading.shard_record import ChildShard

__all__ = ["LeaseManager"]

_logger: Final = logging.getLogger("truckstream.consumer")


class LeaseManager:
    """One worker's part in sharing the shards of an application.

    Args:
        table: the application's lease table. Workers coordinate through it alone.
        worker_id: unique among the workers.
        list_shards: returns the shards of each stream, closed ones included; the key is None with a single stream, else
            `account:stream:creation`.
        listener: the reader of the shards.
        rng: jitter.
    """

    def __init__(
        self,
        table: LeaseTable,
        worker_id: str,
        options: LeaseOptions,
        list_shards: ListShards,
        listener: TenureListener,
        rng: random.Random,
    ) -> None:
        self._table = table
        self._worker_id = worker_id
        self._options = options
        self._listener = listener
        self._rng = rng
        self._view = LeaseView(options.lease_duration)
        self._assignment = Assignment(worker_id, options, rng)
        self._read_again = asyncio.Event()
        self._held = HeldLeases(table, options, listener, self._now, self._read)
        self._shards = ShardKeeper(table, options, list_shards, rng, self._now, self._read, self._read_again)
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False
        #: When the table was last read, by the event loop's clock; None before the first time.
        self.read_at: float | None = None

    @property
    def leases(self) -> list[Lease]:
        """All leases of the application, as this worker read them last."""
        return list(self._view.leases.values())

    def parents_read(self, tenure: Tenure) -> tuple[str, ...]:
        """Return the parents that the application has read, as their leases show. Older ones have no lease.

        The lease of a parent stays until its children have checkpoints.
        """
        parents = tenure.lease.parent_ids
        return tuple(each for each in parents if lease_key(tenure.stream, each) in self._view.leases)

    # --- For the application --------------------------------------------------------------------

    async def start(self) -> None:
        """Open the table, create the missing leases and begin to take some.

        Raises:
            LeaseTableError: the table cannot be reached, or holds something else.
        """
        await self._table.open()
        try:
            await self._shards.sync()
        except BaseException:
            await self._table.close()
            raise
        work = (self._watch(), self._held.renew_forever(), self._shards.keep_forever())
        self._tasks = [asyncio.create_task(each) for each in work]

    def note(self, tenure: Tenure, checkpoint: Checkpoint) -> None:
        """Write a checkpoint with the next renewal, within `checkpoint_interval`. A pending checkpoint stays."""
        tenure.note(checkpoint, self._now())
        self._held.replan(tenure)

    async def save(self, tenure: Tenure, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and remove the announced one. It is in the table when this returns.

        Raises:
            LeaseLostError: another worker has the lease. Nothing was written.
            LeaseTableError: the table cannot be reached. The checkpoint may have been written; save it again.
        """
        self.note(tenure, checkpoint)  # in place of older ones, which must not follow it if the response is lost
        await self._held.write(tenure, lambda lease: saved(lease, checkpoint))

    async def announce(self, tenure: Tenure, pending: PendingCheckpoint) -> None:
        """Write a pending checkpoint, which a successor finds in its tenure. Raises as `save` does."""
        await self._held.write(tenure, lambda lease: announced(lease, pending, tenure.noted))

    async def end_shard(self, tenure: Tenure, children: Sequence[ChildShard]) -> None:
        """End a tenure whose shard was processed to its end: create the children's leases, then write SHARD_END.

        `children` is empty if the shard has expired. Raises as `save` and `list_shards` do.
        """
        leases = await self._read()
        if not children or parents_without_lease(children, leases, tenure.stream):
            await self._shards.sync()
        for child in children:
            if tenure.may_write:
                await self._table.create(child_lease(tenure.stream, child, self._options))
        await self._held.write(tenure, lambda lease: ended(lease, [child.shard_id for child in children]))
        self._held.end(tenure)
        self._read_again.set()

    def release(self, tenure: Tenure) -> asyncio.Task[bool]:
        """Begin to end a tenure: to write the noted checkpoint, and to leave the lease to others.

        The task repeats the write until the table responds, or `stop` has no more time. It returns False if another
        worker has the lease, and need not be awaited.
        """
        task = self._held.release(tenure)
        task.add_done_callback(lambda _: self._read_again.set())
        return task

    def take_no_more(self) -> None:
        """Take no lease from now on. Those that are held are renewed until `release` or `stop`."""
        self._is_stopping = True
        self._read_again.set()

    async def stop(self, seconds: float) -> bool:
        """Release all leases and close the table; return whether that succeeded within the time.

        Leases that are left expire. The log names them.
        """
        self.take_no_more()
        tasks, self._tasks = self._tasks, []
        try:
            if tasks:
                watch, _, keep_shards = tasks
                keep_shards.cancel()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._release_all(watch)
        finally:  # also if this was cancelled
            left = [tenure.shard_id for tenure in self._held.tenures.values()]
            if left:
                _logger.warning("leases that were not released in time: %s. They expire.", ", ".join(left))
            under_way = {*tasks, *self._held.renewals, *self._held.releases.values()}
            for task in under_way:
                task.cancel()
            try:
                if under_way:
                    await asyncio.wait(under_way)
            finally:
                await self._table.close()
        return not left

    # --- Reading the table ----------------------------------------------------------------------

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def _read(self) -> Mapping[str, Lease]:
        tenures = list(self._held.tenures.values())
        leases = await self._table.read()
        self.read_at = self._now()
        streams = self._shards.streams
        ours = [lease for lease in leases if streams is None or lease.stream in streams]
        self._view.update(ours, self._now())
        self._held.compare(self._view.leases, tenures)
        return self._view.leases

    async def _watch(self) -> None:
        while not self._is_stopping:
            try:
                delay = await self._step()
            except LeaseTableError as error:
                _logger.warning("the lease table cannot be used: %s", error)
                delay = self._options.retry_interval
            except LeaseLostError:  # while a request was declined
                delay = 0.0
            except Exception:
                _logger.exception("assigning leases failed")
                delay = self._options.retry_interval
            if not self._is_stopping:
                await wait_for(self._read_again, delay)

    async def _step(self) -> float:
        """Read the table once and act on it; return the seconds until the next time."""
        await self._read()
        now = self._now()
        must_read_again = await self._answer_requests()
        self._shards.look_for_holes(self.leases, now)
        plan = self._assignment.plan(self._view, self._held.keys, now)
        for lease in plan.ask_for:
            await self._table.replace(lease, asked_for(lease, self._worker_id))
        took = await asyncio.gather(*map(self._take, plan.take))
        if must_read_again or True in took:
            return 0.0
        is_busy = plan.take or plan.ask_for or self._assignment.is_waiting
        if is_busy or now < self._view.changed_at + self._options.lease_duration / 2:
            return self._options.busy_read_interval * self._rng.uniform(0.8, 1.0)
        delay = self._options.read_interval * self._rng.uniform(0.8, 1.0)
        expiry = self._view.next_expiry(now)
        return delay if expiry is None else min(delay, expiry - now)

    async def _take(self, lease: Lease) -> bool:
        if self._is_stopping:
            return False
        sent_at, after = self._now(), taken(lease, self._worker_id)
        try:
            if not await self._table.replace(lease, after):
                return False
        except LeaseTableError as error:
            _logger.warning("the lease of %s was not taken: %s", lease.key, error)
            return False
        tenure = self._held.add(after, sent_at=sent_at)
        if tenure is not None and not self._is_stopping:
            self._held.report(self._listener.began, tenure)
        return True

    # --- Hand-over ------------------------------------------------------------------------------

    async def _answer_requests(self) -> bool:
        """Agree to requests for leases, or decline them; return whether the table must be read again first.

        Two workers may ask for different leases at the same time. Both requests are in the table before either holder
        decides, so the later of the two holders to decide sees both. A reading that began before the request came may
        have missed the other one, so the holder decides at the next.
        """
        must_read_again, may_move = False, self._view.moving <= self._view.moving_limit
        for tenure in list(self._held.tenures.values()):
            if tenure.is_wanted or tenure.is_closing or not tenure.is_asked_for:
                continue
            if not tenure.saw_request_before():
                must_read_again = True
            elif may_move:
                tenure.is_wanted = True
                self._held.report(self._listener.wanted, tenure)
            else:
                await self._held.write(tenure, handed_back)
        return must_read_again

    async def _release_all(self, watch: asyncio.Task[None]) -> None:
        await asyncio.wait([watch, *map(self.release, self._held.tenures.values())])
        if self._held.tenures:  # taken in the last step of the watch
            await asyncio.wait(list(map(self.release, self._held.tenures.values())))
        await self._withdraw_requests()

    async def _withdraw_requests(self) -> None:
        requests = [each for each in self.leases if each.owner == self._worker_id and each.checkpoint_owner is not None]
        with contextlib.suppress(LeaseTableError):
            for lease in requests:
                await self._table.replace(lease, withdrawn(lease))
