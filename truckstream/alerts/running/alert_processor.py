"""The processor of one shard: evaluate its records, hand the events over, and save state and checkpoint.

In this order, so that nothing is lost when the process is killed at any moment:

1. Evaluate the records. The events wait in the outboxes, whose tasks send them.
2. Write the state, which contains the evaluator and the events that still wait.
3. Note the checkpoint, which the consumer writes with the lease.

Killed before 2, the records come again to the state before them, and make the same events with the same keys. Killed
before 3, the records come again to a state that has seen them, and make none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from truckstream.alerts.running.delivery_task import DeliveryTask
from truckstream.consumer.leases.lease import Checkpoint
from truckstream.errors import LeaseLostError, StoreError
from truckstream.kinesis.shard_map import hash_key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from truckstream.alerts.delivery.target import AlertTarget
    from truckstream.alerts.shard.shard_alerts import ShardAlerts
    from truckstream.consumer.shard_processor import AssignedShard, EndReason
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["AlertProcessor", "States"]

_logger = logging.getLogger("truckstream.alerts")

#: Seconds between two writes of the state while there are no events; a killed worker reads so much again.
SAVE_SECONDS: Final = 10.0

#: Records that are evaluated before the event loop gets its turn: some 5 ms.
_RECORDS_PER_TURN: Final = 300

#: Seconds between two attempts at reading the state, or at writing the last one of a shard.
_RETRY_SECONDS: Final = 2.0


class States(Protocol):
    """The part of a `AlertStateStore` that a processor needs."""

    async def load(self, shard: str) -> bytes | None:
        """Return the newest state of a shard."""

    async def save(self, shard: str, position: tuple[str, int], state: bytes) -> None:
        """Write the state after the record at a position."""


class AlertProcessor:
    """Evaluates one shard while this worker holds its lease. A `ShardProcessor`.

    Args:
        shard: the shard and its lease.
        alerts: what is decided.
        targets: where the events go.
        states: where the state is kept; None keeps none.
        drain_seconds: how long `finish` waits for the targets. What they have not accepted by then stays in the state.
        clock: the present in seconds since the epoch, for silence at the tip.
    """

    def __init__(
        self,
        shard: AssignedShard,
        alerts: ShardAlerts,
        targets: Sequence[AlertTarget],
        states: States | None,
        drain_seconds: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.alerts = alerts
        self._shard = shard
        self._states = states
        self._drain_seconds = drain_seconds
        self._clock = clock
        self._tasks = [DeliveryTask(target, alerts.outboxes[target.name]) for target in targets]
        self._loop = asyncio.get_running_loop()
        self._is_loaded = False
        self._ends_soon = False
        self._position: Checkpoint | None = None
        self._save_at = self._loop.time() + SAVE_SECONDS
        self._changed = False
        #: Whether it has done, or given up, its work.
        self.has_ended = False

    async def process(self, records: Sequence[ShardRecord], millis_behind: int) -> None:
        """Evaluate the next records.

        Raises:
            Exception: a target is defective.
        """
        for task in self._tasks:
            task.check()
        if not await self._load():
            return
        has_events = False
        for part in _parts(records):
            has_events |= self.alerts.take(part)
            self._position = Checkpoint(part[-1].sequence_number, part[-1].subsequence_number or 0)
            self._changed = True
            await asyncio.sleep(0)
        if millis_behind == 0 and not self._ends_soon:
            has_events |= self.alerts.reach_tip(self._clock())
        if has_events:
            self._hand_over()
        if has_events or (self._changed and self._loop.time() >= self._save_at):
            await self._save()

    def end_soon(self) -> None:
        """Note that `finish` comes next. `process` never waits for long."""
        self._ends_soon = True

    async def finish(self, reason: EndReason) -> None:
        """Give the targets a moment, and save state and checkpoint.

        At the end of a shard its children go on from the state, so that it is written before this returns.
        """
        try:
            await self._drain()
            while not await self._save() and reason == "shard_end":  # noqa: ASYNC110 - a store that is down
                await asyncio.sleep(_RETRY_SECONDS)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Stop sending. The next owner of the lease sends what this one has not."""
        self.has_ended = True
        for task in self._tasks:
            task.cancel()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._drain_seconds):
                for task in self._tasks:
                    await task.wait_idle()
        except TimeoutError:
            waiting = ", ".join(f"{len(box)} for {name}" for name, box in self.alerts.outboxes.items() if len(box))
            _logger.warning("%s: alerts wait in the state: %s", self._shard.shard_id, waiting)

    # --- Events ---------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        for name, count in self.alerts.take_dropped().items():
            _logger.error("%s: %d alerts were dropped, because too many wait for %s", self._shard.shard_id, count, name)
        for task in self._tasks:
            task.wake()

    # --- State ----------------------------------------------------------------------------------------

    async def _load(self) -> bool:
        """Go on from the shard's own state, or from those of its parents. False if the shard is given up before."""
        while not self._is_loaded:
            if self._ends_soon:
                return False
            try:
                if self._states is not None:
                    await self._load_from(self._states)
            except StoreError as error:
                _logger.warning("%s waits for its state: %s", self._shard.shard_id, error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._is_loaded = True
                self._hand_over()
        return True

    async def _load_from(self, states: States) -> None:
        if state := await states.load(self._name(self._shard.shard_id)):
            self.alerts.adopt(state)
            return
        owns = _owner_test(self._shard.hash_range)
        for parent in self._shard.parent_ids:
            if state := await states.load(self._name(parent)):
                self.alerts.adopt(state, owns)

    async def _save(self) -> bool:
        """Write the state, then note the checkpoint. False if the state cannot be written."""
        if self._position is None:
            return True
        if not self._shard.is_held:
            raise LeaseLostError(self._shard.shard_id)
        self._save_at = self._loop.time() + SAVE_SECONDS
        if self._states is not None:
            try:
                await self._states.save(self._name(self._shard.shard_id), self._position, self.alerts.snapshot())
            except StoreError as error:
                _logger.warning("%s cannot save its state yet: %s", self._shard.shard_id, error)
                return False
        self._changed = False
        self._shard.note(self._position)
        return True

    def _name(self, shard_id: str) -> str:
        return f"{self._shard.stream_name}/{shard_id}"


def _parts(records: Sequence[ShardRecord]) -> Iterator[list[ShardRecord]]:
    iterator = iter(records)
    while part := list(islice(iterator, _RECORDS_PER_TURN)):
        yield part


def _owner_test(hash_range: tuple[int, int] | None) -> Callable[[str], bool]:
    """Return a function that returns whether a truck reports to a shard: its ID is the partition key."""
    if hash_range is None:
        return lambda _: True
    low, high = hash_range
    return lambda truck_id: low <= hash_key_of(truck_id.encode()) <= high
