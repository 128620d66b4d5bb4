"""Store all groups of one event: in parallel, within the limits of count and bytes, and before the deadline."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from truckstream.batcher.result import build_result
from truckstream.batcher.storing.group_writer import GroupWriter
from truckstream.batcher.storing.object_writer import ObjectWriter
from truckstream.errors import DeadlineError, StoreError, TruckstreamError

if TYPE_CHECKING:
    from truckstream.batcher.grouping.plan import Group, GroupPlan
    from truckstream.batcher.object_store.store import Store
    from truckstream.batcher.reading.validation import ValidatedEvent
    from truckstream.batcher.result import Result, StoredGroup
    from truckstream.batcher.storing.deadline import PutTimeEstimate
    from truckstream.batcher.storing.object_key import KeyScheme

__all__ = ["EventWriter", "StoringOptions"]

_logger = logging.getLogger("truckstream.batcher")


class StoringOptions(NamedTuple):
    """Where a batcher's objects go, and how many groups are stored at the same time."""

    store: Store
    valid_keys: KeyScheme
    rejected_keys: KeyScheme
    max_in_flight: int
    max_bytes_in_flight: int


class EventWriter:
    """Stores one event. Holds all state of one call of `process`."""

    def __init__(
        self,
        event: ValidatedEvent,
        plan: GroupPlan,
        options: StoringOptions,
        put_time: PutTimeEstimate,
        deadline: float | None,
        log_level: int = logging.WARNING,
    ) -> None:
        self._event = event
        self._plan = plan
        self._options = options
        self._put_time = put_time
        self._deadline = deadline
        self._log_level = log_level
        put_seconds: list[float] = []

        # A method of this object would make a cycle, which keeps a slice's lines in memory until they are collected.
        def on_put(seconds: float) -> None:
            put_seconds.append(seconds)
            put_time.learn(seconds)

        self._put_seconds = put_seconds
        self._groups = GroupWriter(
            ObjectWriter(options.store, event.valid, options.valid_keys, on_put),
            ObjectWriter(options.store, event.rejected, options.rejected_keys, on_put),
        )
        self._waiting: deque[Group] = deque()
        self._tasks: dict[asyncio.Task[StoredGroup], Group] = {}
        self._sizes: dict[Group, int] = {}
        self._bytes_in_flight = 0
        self._stored: list[StoredGroup] = []
        self._causes: list[TruckstreamError] = []

    async def write(self) -> Result:
        """Store every group that fits before the deadline, and account for every record."""
        try:
            while True:
                self._start_due()
                if not self._tasks:
                    return build_result(self._event, self._stored, self._causes, self._put_seconds)
                done, _ = await asyncio.wait(
                    self._tasks, timeout=self._time_left(), return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    await self._settle(task)
                if not done:
                    await self._give_up()
        finally:
            await self._give_up()

    def _start_due(self) -> None:
        """Start the groups that are due and within the limits; fail those that would end after the deadline."""
        self._waiting.extend(self._plan.take_due())
        while self._waiting and self._is_within_limits(self._waiting[0]):
            group = self._waiting.popleft()
            if self._fits_before_deadline(group):
                self._bytes_in_flight += self._size(group)
                self._tasks[asyncio.create_task(self._groups.write(group))] = group
            else:
                self._fail(group, DeadlineError(f"too little time was left to store {self._describe(group)}"))

    async def _settle(self, task: asyncio.Task[StoredGroup]) -> None:
        """Take the outcome of one group."""
        group = self._remove(task)
        try:
            stored = task.result()
        except StoreError as error:
            _logger.log(self._log_level, "%s is not stored: %s", self._describe(group), error)
            self._fail(group, error, key_is_free=self._plan.one_by_one and await self._key_is_free(group))
            return
        self._stored.append(stored)
        self._plan.stored(group, stored.stop, is_new=stored.is_new)

    async def _key_is_free(self, group: Group) -> bool:
        """True if it is known that the group's object does not exist. A lookup that takes too long proves nothing."""
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._groups.key_is_free(group)
        except TimeoutError:
            return False

    async def _give_up(self) -> None:
        """Cancel the groups in flight. An object whose PUT succeeds all the same is found by the redelivery."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in list(self._tasks):
            if task.cancelled():
                group = self._remove(task)
                self._fail(group, DeadlineError(f"the deadline passed while {self._describe(group)} was being stored"))
            else:
                await self._settle(task)

    def _remove(self, task: asyncio.Task[StoredGroup]) -> Group:
        group = self._tasks.pop(task)
        self._bytes_in_flight -= self._size(group)
        return group

    def _fail(self, group: Group, cause: TruckstreamError, *, key_is_free: bool = False) -> None:
        self._causes.append(cause)
        self._plan.failed(group, key_is_free=key_is_free)

    def _is_within_limits(self, group: Group) -> bool:
        if not self._tasks:
            return True
        bytes_in_flight = self._bytes_in_flight + self._size(group)
        return len(self._tasks) < self._options.max_in_flight and bytes_in_flight <= self._options.max_bytes_in_flight

    def _size(self, group: Group) -> int:
        if group not in self._sizes:
            self._sizes[group] = self._event.valid.size(*group) + self._event.rejected.size(*group)
        return self._sizes[group]

    def _fits_before_deadline(self, group: Group) -> bool:
        puts = sum(lines.count(*group) > 0 for lines in (self._event.valid, self._event.rejected))
        return self._put_time.fits(puts, asyncio.get_running_loop().time(), self._deadline)

    def _time_left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - asyncio.get_running_loop().time())

    def _describe(self, group: Group) -> str:
        return f"the group of {group.stop - group.start} records from {self._event.valid.sequences[group.start]}"
