"""The Consumer: the package's public class.

The other asyncio files: `upkeep/` keeps this worker's leases, `running/` reads and processes their shards,
`processing/` passes the records to the application.
"""

from __future__ import annotations

import asyncio
import enum
import inspect
import logging
import os
import socket
import uuid
import warnings
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final, Self

from truckstream.checks import check_number
from truckstream.consumer.leases.options import LeaseOptions
from truckstream.consumer.options import ConsumerOptions
from truckstream.consumer.processing.batch_queue import BatchQueue
from truckstream.consumer.processing.handler import HandlerProcessor
from truckstream.consumer.processing.handling import is_in_handler
from truckstream.consumer.processing.iteration import BatchIterator, IterationProcessor, RecordIterator
from truckstream.consumer.running.shard_runs import ShardRuns
from truckstream.consumer.running.streams import Streams
from truckstream.consumer.tables.default_table import default_table
from truckstream.consumer.upkeep.lease_manager import LeaseManager
from truckstream.consumer.watching.sampler import Sampler
from truckstream.consumer.watching.stats import ConsumerStats, stats_of_other
from truckstream.errors import ConsumerClosedError, InvalidArgumentError, UsageError, WrongEventLoopError
from truckstream.kinesis.client import KinesisClient
from truckstream.kinesis.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from truckstream.consumer.leases.lease_table import LeaseTable
    from truckstream.consumer.options import CheckpointMode, Outside, Start
    from truckstream.consumer.processing.handler import Handler
    from truckstream.consumer.running.shard_run import Factory
    from truckstream.consumer.shard_processor import AssignedShard, ShardProcessor
    from truckstream.consumer.watching.observer import ConsumerObserver
    from truckstream.kinesis.reading.reading_client import ReadingClient
    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["Consumer"]

_logger = logging.getLogger("truckstream.consumer")

#: Seconds that closing has to give the leases up, even if the handlers have taken all of its time.
RELEASE_SECONDS: Final = 5.0

#: Seconds between two looks at the leases while a caller waits until all shards are read.
READY_POLL_SECONDS: Final = 0.05


class _State(enum.Enum):
    NEW = "not open: use it as `async with Consumer(...) as consumer`"
    OPENING = "not open yet"
    OPEN = "open"
    CLOSED = "closed"


class Consumer:
    """Reads a stream, alone or with other workers: each record at least once, the records of a shard in order.

    ```python
    async with Consumer("truck-sensor-stream", application="lake") as consumer:
        async for batch in consumer:
            for record in batch:
                ...
    ```

    Workers with the same `application` share the shards through leases in a table, and go on at its checkpoints. A
    shard that was split or merged is read to its end before its children.

    Args:
        stream: the stream's name or ARN, or several of them; or a `ReadingClient` of your own.
        application: the name that all workers of an application share, and the name of their lease table in DynamoDB.
            Without it the consumer reads all shards, and begins at `start` each time.
        start: where shards without a checkpoint begin: "TRIM_HORIZON", the oldest records; "LATEST", records put from
            now on; or a datetime with a time zone.
        shards: the ids of the shards to read, without sharing them. Shards that follow them are not read.
        checkpoint: "after": a batch is checkpointed when it is processed: your loop asks for the next one, or your
            handler returns. "manual": you call `batch.checkpoint()`.
        leases: where the leases are kept, if not in DynamoDB: a table of `truckstream.consumer.tables`. By default it
            is a file if the endpoint is on this machine.
        worker_id: a name that is unique among the workers; by default the host, the process and a random part.
        lease_duration: seconds after which other workers take the shards of one that has died.
        max_leases: the most shards that this worker reads; by default no more than its fair share.
        hand_over_timeout: seconds that a worker has to finish its records when another one is to take a shard over.
        checkpoint_interval: seconds within which an automatic checkpoint is written; by default half of the lease.
        prefetch_bytes: bytes of records that are read ahead or being processed, over all shards.
        max_batch_records: the most records in a batch; by default those of one response. One that has aggregates is
            delivered in pieces of about 1 MiB.
        outside: "deliver" or "drop" user records of an aggregate that do not belong to the shard that stored it. The
            KPL sends such records again to the right shard, so that "drop" is right for a stream that it writes.
        fan_out: read with enhanced fan-out: 2 MiB a second of each shard for this application alone, pushed within some
            70 ms, at an extra price. The consumer is registered under the name of the application, or under the name
            that is given here. Needs truckstream[fan-out].
        region_name, endpoint_url: as in aiobotocore; by default the environment's.
        session: of aiobotocore or aioboto3; by default a new one.
        request_timeout: seconds that the service may keep silent.
        open_timeout: seconds that opening may take, retries included.
        observer: receives an event for each response; see `ConsumerObserver`.
        random: the source of all jitter, for a simulation that can be replayed; by default seeded by the system.

    Raises:
        InvalidArgumentError: an option is out of range or of another type.
        ConfigurationError: a stream's name is malformed.
    """

    def __init__(
        self,
        stream: str | ReadingClient | Sequence[str],
        *,
        application: str | None = None,
        start: Start = "TRIM_HORIZON",
        shards: Sequence[str] | None = None,
        checkpoint: CheckpointMode = "after",
        leases: LeaseTable | None = None,
        worker_id: str | None = None,
        lease_duration: float = 10.0,
        max_leases: int | None = None,
        hand_over_timeout: float = 30.0,
        checkpoint_interval: float | None = None,
        prefetch_bytes: int = 64 * MIB,
        max_batch_records: int | None = None,
        outside: Outside = "deliver",
        fan_out: bool | str = False,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        session: UserSession | None = None,
        request_timeout: float = 10.0,
        open_timeout: float = 30.0,
        observer: ConsumerObserver | None = None,
        random: Random | None = None,
    ) -> None:
        options = ConsumerOptions(
            application=application,
            start=start,
            shards=shards,
            checkpoint=checkpoint,
            lease_duration=lease_duration,
            max_leases=max_leases,
            hand_over_timeout=hand_over_timeout,
            checkpoint_interval=checkpoint_interval,
            prefetch_bytes=prefetch_bytes,
            max_batch_records=max_batch_records,
            outside=outside,
            fan_out=fan_out,
            open_timeout=open_timeout,
        )
        check_number("request_timeout", request_timeout, 0.001)
        network: dict[str, Any] = {"region_name": region_name, "endpoint_url": endpoint_url, "session": session}
        clients = _clients_of(stream, network, request_timeout)
        self._options = options
        self._table = leases or default_table(application, **network)
        self._streams = Streams(clients, shards, named=len(clients) > 1 or self._table.names_streams)
        self._stream_names = ",".join(client.stream_name for client in clients)
        #: The name that the workers share; None without one.
        self.application = application
        self.worker_id = worker_id or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._sampler = Sampler(observer, self._stream_names)
        self._queue = BatchQueue()
        self._random = random or Random()
        self._state = _State.NEW
        self._is_iterated = False
        self._failure: BaseException | None = None
        self._is_handed_over = True
        # Set by `open`, which has an event loop.
        self._ended: asyncio.Event
        self._factory: asyncio.Future[Factory]
        self._runs: ShardRuns
        self._leases: LeaseManager
        self._closing: asyncio.Lock
        self._loop: asyncio.AbstractEventLoop
        self._pid: int

    # --- Opening and closing ------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, take leases and begin to read ahead. `async with` does this.

        Raises:
            StreamNotFoundError: there is no such stream in this account and region.
            ServiceError: the service cannot be reached, or rejects the calls.
            LeaseTableError: the lease table cannot be reached.
            ConsumerClosedError: the consumer was opened before.
        """
        if self._state is not _State.NEW:
            raise ConsumerClosedError("a consumer can be opened only once: make a new one")
        self._state = _State.OPENING
        self._ended, self._closing = asyncio.Event(), asyncio.Lock()
        self._loop, self._pid = asyncio.get_running_loop(), os.getpid()
        self._factory = self._loop.create_future()
        try:
            await self._streams.open(self._options.open_timeout, self._options.fan_out_name)
            self._runs = ShardRuns(
                self._streams,
                self._options,
                self._factory,
                self._sampler.hooks,
                self._random,
                on_failure=self._fail,
                on_end=self._on_shard_end,
            )
            self._leases = LeaseManager(
                self._table,
                self.worker_id,
                self._lease_options(),
                self._streams.list_shards,
                self._runs,
                self._random,
            )
            self._runs.leases = self._leases
            await self._leases.start()
        except BaseException:
            self._state = _State.CLOSED
            await self._streams.close()
            raise
        self._state = _State.OPEN
        if self._ended.is_set():
            self.stop()  # again, because there was nothing to stop before
        self._sampler.start(lambda: self.stats)
        _logger.debug("opened: %s", self.worker_id)

    def _lease_options(self) -> LeaseOptions:
        options = self._options
        return LeaseOptions(
            lease_duration=options.lease_duration,
            max_leases=options.max_leases,
            hand_over_timeout=options.hand_over_timeout,
            checkpoint_interval=options.longest_checkpoint_interval,
            start=options.start,
            covers_streams=options.shards is None,
        )

    def stop(self) -> None:
        """Take no more records: loops end after their present batch, and `run` returns when its handlers have.

        Call it from a signal handler, for example. Leave the context afterwards.
        """
        if self._state in {_State.OPENING, _State.OPEN}:
            self._queue.end()
            self._ended.set()
        if self._state is _State.OPEN:
            self._leases.take_no_more()
            self._runs.stop()

    async def close(self, timeout: float = 30.0) -> bool:  # noqa: ASYNC109 - a bound on finishing
        """Finish, write the last checkpoints, and give the leases to the other workers. May be called twice.

        Handlers get `timeout` seconds to return. A batch that a loop still has was not finished: it is not
        checkpointed, and comes again. While the lease table does not respond, the leases are released again and again,
        for what is left of the time and for at least five seconds.

        Returns:
            True if all handlers returned and all leases were given up. If not, the log names the shards: the records
            of these handlers come again, and other workers wait until these leases expire.
        """
        check_number("timeout", timeout, 0)
        if self._state is _State.NEW:
            self._state = _State.CLOSED
        elif self._state is _State.OPENING:
            self.stop()  # the caller of open closes it
        elif self._state is _State.OPEN:
            self._check_loop()
            if is_in_handler():
                raise UsageError("close() waits for the handlers, so that one of them cannot await it: call stop()")
            async with self._closing:
                await self._close(timeout)
        return self._is_handed_over

    async def _close(self, seconds: float) -> None:
        if self._state is not _State.OPEN:
            return  # by another caller, in the meantime
        self.stop()
        deadline = self._loop.time() + seconds
        self._is_handed_over = False
        async with AsyncExitStack() as last:  # each step is made, even if the caller is cancelled in one
            last.callback(self._on_closed)
            last.push_async_callback(self._streams.close)
            last.push_async_callback(self._release_leases, deadline)
            last.push_async_callback(self._runs.cancel)
            if self._is_iterated:
                self._queue.give_up()
            self._is_handed_over = await self._runs.wait(seconds)

    async def _release_leases(self, deadline: float) -> None:
        has_finished, self._is_handed_over = self._is_handed_over, False
        released = await self._leases.stop(max(RELEASE_SECONDS, deadline - self._loop.time()))
        self._is_handed_over = has_finished and released

    def _on_closed(self) -> None:
        self._sampler.stop(self.stats)
        self._state = _State.CLOSED

    def __del__(self) -> None:
        if getattr(self, "_state", None) is _State.OPEN:
            warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=1, source=self)

    # --- Reading ----------------------------------------------------------------------------------

    def __aiter__(self) -> BatchIterator:
        """Loop over batches. Several tasks may have a loop each; a shard's next batch waits for its previous one."""
        self._iterate()
        return BatchIterator(self._queue, self._raise_failure)

    def records(self) -> RecordIterator:
        """Loop over records. A record is processed when the loop asks for the next one."""
        return RecordIterator(aiter(self))

    async def run(self, handler: Handler, *, concurrency_per_shard: int = 1) -> None:
        """Call `handler` with each batch until `stop` is called, and checkpoint the batches that it has processed.

        The batches of a shard come one after the other, those of several shards at the same time. With
        `concurrency_per_shard` over 1 the records of a shard are divided by their partition keys, and so many handlers
        work at the same time; the records of a key stay in order.

        Raises:
            Exception: the exception of a handler; in an ExceptionGroup with `concurrency_per_shard` over 1. The
                consumer stops then, and the batch is not checkpointed.
            ServiceError: a shard cannot be read, for want of permission, for example.
        """
        if not any(map(inspect.iscoroutinefunction, (handler, type(handler).__call__))):
            raise InvalidArgumentError("handler", handler, "must be a coroutine function: async def handle(batch)")
        check_number("concurrency_per_shard", concurrency_per_shard, 1, whole=True)
        after = self._options.checkpoint == "after"
        await self.run_processors(
            partial(HandlerProcessor, handler=handler, concurrency=concurrency_per_shard, checkpoints_after=after)
        )

    async def run_processors(self, factory: Callable[[AssignedShard], ShardProcessor]) -> None:
        """Give the records of each shard to a processor of its own, until `stop` is called.

        For applications that keep state for each shard; see `ShardProcessor`. Raises as `run` does.
        """
        self._begin(factory)
        await self._ended.wait()
        await self._runs.wait(None)
        self._raise_failure()

    async def wait_ready(self) -> None:
        """Return when each shard is read, by this worker or by another one.

        With `start="LATEST"` all records that are put from then on are delivered.
        """
        self._require_open()
        while not self._is_ready():
            self._raise_failure()
            await asyncio.sleep(READY_POLL_SECONDS)

    @property
    def stats(self) -> ConsumerStats:
        """The statistics at this moment."""
        if not hasattr(self, "_leases"):  # it was never open
            return ConsumerStats(worker_id=self.worker_id, prefetched_bytes=0, shards={})
        own = {run.tenure.key: run for run in self._runs}
        has_one_stream = len(self._streams.by_key) == 1
        shards = {
            lease.shard_id if has_one_stream else lease.key: (
                own[lease.key].feed.stats(self.worker_id) if lease.key in own else stats_of_other(lease.owner)
            )
            for lease in self._leases.leases
            if not lease.checkpoint.is_ended
        }
        return ConsumerStats(worker_id=self.worker_id, prefetched_bytes=self._runs.prefetch.budget.used, shards=shards)

    @property
    def lease_table_silence(self) -> float | None:
        """Seconds since the lease table was last read, for health checks; None before the first time."""
        read_at = self._leases.read_at if hasattr(self, "_leases") else None
        return None if read_at is None else asyncio.get_running_loop().time() - read_at

    def __repr__(self) -> str:
        return f"<Consumer {self.worker_id} of {self._stream_names}, {self._state.name.lower()}>"

    # --- Inside -----------------------------------------------------------------------------------

    def _iterate(self) -> None:
        if self._is_iterated:
            self._require_open()
            return
        after = self._options.checkpoint == "after"
        self._begin(partial(IterationProcessor, queue=self._queue, checkpoints_after=after))
        self._is_iterated = True

    def _begin(self, factory: Factory) -> None:
        self._require_open()
        if self._factory.done():
            raise UsageError("a consumer has either loops or one call of run: make a second consumer")
        self._factory.set_result(factory)

    def _require_open(self) -> None:
        if self._state is not _State.OPEN:
            raise ConsumerClosedError(f"the consumer is {self._state.value}")
        self._check_loop()

    def _check_loop(self) -> None:
        if os.getpid() != self._pid:
            raise ConsumerClosedError("this process was forked from the one that opened the consumer: open one here")
        if asyncio.get_running_loop() is not self._loop:
            raise WrongEventLoopError("the consumer belongs to another event loop: open a consumer on each event loop")

    def _is_ready(self) -> bool:
        leases = [lease for lease in self._leases.leases if not lease.checkpoint.is_ended]
        active = {(lease.stream, lease.shard_id) for lease in leases}
        own = {run.tenure.key: run for run in self._runs}
        return self._ended.is_set() or (
            bool(leases)  # none were read yet
            and all(
                own[lease.key].feed.is_positioned if lease.key in own else lease.owner not in {None, self.worker_id}
                for lease in leases
                if not active.intersection((lease.stream, parent) for parent in lease.parent_ids)
            )
        )

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self.stop()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _on_shard_end(self) -> None:
        """End the loops when the last of the given shards was processed to its end."""
        if self._options.shards is None or list(self._runs):
            return
        if all(lease.checkpoint.is_ended for lease in self._leases.leases):
            self.stop()


def _clients_of(
    stream: str | ReadingClient | Sequence[str], network: dict[str, object], request_timeout: float
) -> list[ReadingClient]:
    """Return a client for each stream."""
    rule = "must be a stream's name or ARN, several of them, or a ReadingClient"
    if not isinstance(stream, str | Sequence) and hasattr(stream, "get_records"):
        return [stream]
    names = [stream] if isinstance(stream, str) else stream
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidArgumentError("stream", stream, rule)
    if len(set(names)) < len(names):
        raise InvalidArgumentError("stream", stream, "must name each stream once")
    return [KinesisClient(name, request_timeout=request_timeout, **network) for name in names]  # type: ignore[arg-type]
