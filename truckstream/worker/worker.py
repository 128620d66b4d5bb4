"""The Worker: a consumer with a storer for each shard, and one batcher for all of them."""

from __future__ import annotations

import asyncio
import logging
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from truckstream.batcher import Batcher
from truckstream.checks import check_number
from truckstream.consumer.consumer import Consumer
from truckstream.errors import InvalidArgumentError
from truckstream.worker.cutting.group_cutter import CutLimits
from truckstream.worker.health.health_report import HealthLimits, HealthReport, report_health
from truckstream.worker.storing.group_storer import GroupStorer
from truckstream.worker.storing.shard_storer import ShardStorer
from truckstream.worker.stream_arn import find_stream_arn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from truckstream.batcher.object_store.store import ObjectStore
    from truckstream.consumer.shard_processor import AssignedShard, ShardProcessor

__all__ = ["ShardConsumer", "Worker"]

_logger = logging.getLogger("truckstream.worker")

#: Of the time for stopping, seconds that are left for the last requests after the leases are handed over.
_LAST_REQUESTS: Final = 2.0

#: Seconds without a response of the lease table after which a worker is not healthy: every lease has expired by then.
_LEASE_TABLE_SILENCE: Final = 60.0


class ShardConsumer(Protocol):
    """The part of a `Consumer` that a worker needs."""

    @property
    def lease_table_silence(self) -> float | None:
        """Seconds since the lease table was last read; None before the first time."""

    async def __aenter__(self) -> Any:
        """Open the lease table and the connections."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close, and hand the shards over."""

    async def run_processors(self, factory: Callable[[AssignedShard], ShardProcessor]) -> None:
        """Make a processor for each shard whose lease it has, and pass the records on, until `close`."""

    async def close(self, timeout: float = 30.0) -> bool:  # noqa: ASYNC109 - as the consumer has it
        """Let the processors finish within the time, hand the leases over, and end `run_processors`.

        Return whether all processors have finished, and all leases are handed over.
        """


class Worker:
    """Stores a stream in objects, each record once, together with the other workers of its application.

    ```python
    async with Worker("truck-sensor-stream", "s3://bucket", application="lake") as worker:
        await worker.run()
    ```

    Args:
        stream: the stream's name or ARN.
        store: `s3://bucket[/folder]`, `file:///directory`, `memory:///` or an obstore store, for a `Batcher` with its
            defaults; or a `Batcher`.
        application: the name that all workers of the stream share; it is also the name of their lease table.
        max_wait: seconds after which a group is stored, even if it is not full.
        max_group_bytes: the bytes of data that make a group full, with any number of records.
        max_in_flight: the number of groups that are stored at the same time, of all shards.
        grace: seconds within which `stop` stores the records in hand and hands the leases over.
        stuck_after: seconds after which a shard that is storing the same groups makes the worker unhealthy.
        consumer: a consumer to use instead of one with the options that follow.
        random: the source of all jitter; by default seeded by the system.
        consumer_options: options of the `Consumer`, such as `start`, `region_name` or `lease_duration`.

    Raises:
        ConfigurationError: the store cannot be opened.
        InvalidArgumentError: an option breaks a rule.
    """

    def __init__(
        self,
        stream: str,
        store: str | ObjectStore | Batcher,
        *,
        application: str = "lake",
        max_wait: float = 60.0,
        max_group_bytes: int = 4 * 1024 * 1024,
        max_in_flight: int = 16,
        grace: float = 25.0,
        stuck_after: float = 600.0,
        consumer: ShardConsumer | None = None,
        random: Random | None = None,
        **consumer_options: Any,
    ) -> None:
        check_number("max_wait", max_wait, 0.1)
        check_number("max_group_bytes", max_group_bytes, 1, whole=True)
        check_number("max_in_flight", max_in_flight, 1, whole=True)
        check_number("grace", grace, 0)
        check_number("stuck_after", stuck_after, 1)
        self._batcher = store if isinstance(store, Batcher) else Batcher(store)
        if self._batcher.batch_size == "auto":
            raise InvalidArgumentError("batch_size", "auto", "must be a number: a worker has no batches to choose by")
        self._limits = CutLimits(self._batcher.batch_size, max_group_bytes, max_wait)
        self._health_limits = HealthLimits(stuck_after=stuck_after, lease_table_silence=_LEASE_TABLE_SILENCE)
        self._max_in_flight = max_in_flight
        self._grace = grace
        self._hand_over_seconds = max(grace / 2, grace - _LAST_REQUESTS)
        self._stream = stream
        self._random = random or Random()
        self._connection = {name: consumer_options.get(name) for name in ("session", "region_name", "endpoint_url")}
        self._consumer = consumer or _make_consumer(
            stream,
            application=application,
            hand_over_timeout=self._hand_over_seconds,
            random=self._random,
            **{"start": "TRIM_HORIZON", **consumer_options},
        )
        self._storers: list[ShardStorer] = []
        self._groups: GroupStorer
        self._stop = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Worker of {self._stream}: {len(self._running)} shards, storing with {self._batcher!r}>"

    async def __aenter__(self) -> Self:
        arn = await find_stream_arn(self._stream, **self._connection)
        self._groups = GroupStorer(self._batcher, arn, max_in_flight=self._max_in_flight, random=self._random)
        await self._consumer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._consumer.__aexit__(kind, error, traceback)
        finally:
            for storer in self._running:
                storer.abandon()

    @property
    def health(self) -> HealthReport:
        """The present state of the worker and of its shards."""
        return report_health(
            [storer.status for storer in self._running],
            asyncio.get_running_loop().time(),
            self._health_limits,
            lease_table_silence=self._consumer.lease_table_silence,
        )

    async def run(self) -> bool:
        """Store the stream until `stop` is called.

        Returns:
            True if everything that was read is stored and the leases are handed over; False if the time was up. Then
            the leases expire, and other workers complete the work.

        Raises:
            TruckstreamError: the worker cannot go on: the stream was deleted, or a permission is missing.
        """
        running = asyncio.create_task(self._consumer.run_processors(self._make_storer))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                return await self._hand_over(running)
            await running
        finally:
            for task in (running, stopping):
                task.cancel()
            await asyncio.gather(running, stopping, return_exceptions=True)
        return True

    def stop(self) -> None:
        """Make `run` store the records in hand, hand the leases over and return, within `grace` seconds."""
        self._stop.set()

    async def _hand_over(self, running: asyncio.Task[None]) -> bool:
        closing = asyncio.create_task(self._consumer.close(self._hand_over_seconds))
        try:
            done, late = await asyncio.wait((closing, running), timeout=self._grace)
            if late:
                left = ", ".join(storer.status.shard_id for storer in self._running) or "the last leases"
                _logger.warning("not handed over within %.0f s: %s. Their leases expire.", self._grace, left)
            for task in done:
                task.result()
            return not late and closing.result()
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    @property
    def _running(self) -> list[ShardStorer]:
        """The storers of the shards that this worker has."""
        self._storers = [storer for storer in self._storers if not storer.has_ended]
        return self._storers

    def _make_storer(self, shard: AssignedShard) -> ShardProcessor:
        storer = ShardStorer(shard, self._groups, self._limits, self._random)
        self._running.append(storer)
        return storer


def _make_consumer(stream: str, **options: Any) -> ShardConsumer:
    return Consumer(stream, **options)
