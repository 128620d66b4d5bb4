"""The leases that this worker holds: all writes to them, one at a time for each lease, and their renewal in time."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from truckstream.consumer.leases.lease_changes import released, renewed
from truckstream.consumer.leases.tenure import Tenure
from truckstream.errors import LeaseLostError, LeaseTableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from truckstream.consumer.leases.lease import Lease
    from truckstream.consumer.leases.lease_table import LeaseTable
    from truckstream.consumer.leases.options import LeaseOptions
    from truckstream.consumer.leases.tenure import TenureListener

__all__ = ["HeldLeases", "wait_for"]

_logger: Final = logging.getLogger("truckstream.consumer")


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when `event` is set or after `seconds`, and clear it."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
    except TimeoutError:
        pass
    event.clear()


class HeldLeases:
    """Tenures by their leases' keys. `read` reads the table for a write that was refused."""

    def __init__(
        self,
        table: LeaseTable,
        options: LeaseOptions,
        listener: TenureListener,
        clock: Callable[[], float],
        read: Callable[[], Awaitable[Mapping[str, Lease]]],
    ) -> None:
        self._table = table
        self._options = options
        self._listener = listener
        self._clock = clock
        self._read = read
        self.tenures: dict[str, Tenure] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        #: The releases and renewals that are being written.
        self.releases: dict[Tenure, asyncio.Task[bool]] = {}
        self.renewals: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        #: When `renew_forever` looks at the tenures next.
        self._looks_at = float("inf")

    @property
    def keys(self) -> set[str]:
        """The leases that are held, or that are still written although they were lost."""
        return {*self.tenures, *(key for key, lock in self._locks.items() if lock.locked())}

    def add(self, lease: Lease, *, sent_at: float) -> Tenure | None:
        """Begin the tenure of a lease that was taken; None if that took as long as a lease lasts."""
        tenure = Tenure(lease, self._options, sent_at=sent_at, clock=self._clock)
        if not tenure.is_held:
            return None
        self.tenures[lease.key] = tenure
        self.replan(tenure)
        return tenure

    async def write(self, tenure: Tenure, change: Callable[[Lease], Lease]) -> None:
        """Write the lease that `change` returns.

        Raises:
            LeaseLostError: another worker has the lease. Nothing was written.
            LeaseTableError: the table cannot be reached. The write may have been made; it can be repeated.
        """
        async with self._locks[tenure.key]:
            try:
                while tenure.may_write:
                    before, noted, sent_at = tenure.lease, tenure.noted, self._clock()
                    after = change(before)
                    if await self._table.replace(before, after):
                        tenure.written(after, sent_at=sent_at, noted=noted)
                        return
                    leases = await self._read()
                    if not tenure.adopt(leases.get(tenure.key)):
                        break
            except LeaseTableError:
                tenure.write_failed(self._clock())
                raise
            finally:
                self.replan(tenure)
        self.lose(tenure)
        raise LeaseLostError(tenure.shard_id)

    def release(self, tenure: Tenure) -> asyncio.Task[bool]:
        """Begin to leave a lease to others. The task returns True when that is written.

        It returns False if another worker has the lease: it took it before, or after a release whose response was lost.
        """
        if tenure not in self.releases:
            tenure.is_closing = True
            task = self.releases[tenure] = asyncio.create_task(self._release(tenure))
            task.add_done_callback(lambda _: self.releases.pop(tenure))
        return self.releases[tenure]

    def compare(self, leases: Mapping[str, Lease], tenures: Iterable[Tenure]) -> None:
        """Compare tenures with the table, which was read after they had begun."""
        for tenure in tenures:
            found = leases.get(tenure.key)
            is_older = found is not None and found.counter < tenure.lease.counter
            is_being_written = tenure.is_closing or self._locks[tenure.key].locked()  # the write compares for itself
            if is_older or is_being_written or self.tenures.get(tenure.key) is not tenure:
                continue
            if not tenure.adopt(found):
                self.lose(tenure)

    def lose(self, tenure: Tenure) -> None:
        """End a tenure whose lease another worker has, or may have."""
        was_closing = tenure.is_closing
        if self.end(tenure) and not was_closing:
            _logger.warning("the lease of %s is lost", tenure.key)
            self.report(self._listener.lost, tenure)

    def end(self, tenure: Tenure) -> bool:
        """End a tenure; False if it had ended before."""
        if self.tenures.get(tenure.key) is tenure:
            del self.tenures[tenure.key]
        return tenure.end()

    @staticmethod
    def report(callback: Callable[[Tenure], None], tenure: Tenure) -> None:
        """Call a listener, whose errors must not end the upkeep of leases."""
        try:
            callback(tenure)
        except Exception:
            _logger.exception("%s of %s failed", callback.__name__, tenure.key)

    def replan(self, tenure: Tenure) -> None:
        """Note that a tenure has changed. It wakes `renew_forever` if that would look too late."""
        if min(tenure.next_write_at, tenure.expires_at) < self._looks_at:
            self._changed.set()

    async def renew_forever(self) -> None:
        """Renew each lease in time, and end tenures that could not be renewed."""
        while True:
            self._changed.clear()
            now = self._clock()
            looks_at = now + self._options.lease_duration
            for tenure in list(self.tenures.values()):
                if tenure.is_closing:
                    continue
                if not tenure.may_write:
                    self.lose(tenure)
                    continue
                looks_at = min(looks_at, tenure.expires_at)
                if self._locks[tenure.key].locked():
                    continue
                if tenure.next_write_at <= now:
                    task = asyncio.create_task(self._renew(tenure))
                    self.renewals.add(task)
                    task.add_done_callback(self.renewals.discard)
                else:
                    looks_at = min(looks_at, tenure.next_write_at)
            self._looks_at = looks_at
            await wait_for(self._changed, looks_at - now)

    async def _release(self, tenure: Tenure) -> bool:
        """Write a release, again and again until the table responds.

        A release that was written before is found in the table, and one is refused that comes after another worker took
        the lease.
        """
        while True:
            try:
                await self.write(tenure, lambda lease: released(lease, tenure.noted))
            except LeaseLostError:
                return False
            except LeaseTableError as error:
                _logger.warning("the lease of %s is not released yet: %s", tenure.key, error)
                await asyncio.sleep(self._options.retry_interval)
            else:
                self.end(tenure)
                return True

    async def _renew(self, tenure: Tenure) -> None:
        try:
            await self.write(tenure, lambda lease: renewed(lease, tenure.noted))
        except LeaseLostError:
            pass  # reported to the listener
        except LeaseTableError as error:
            _logger.warning("the lease of %s was not renewed: %s", tenure.key, error)
