"""The Producer: the package's public class, and the shell that drives the core on an asyncio loop.

Every callback does the same few things, in `_pump`: send the requests that are due, hand out outcomes, grant room to
the callers that wait for it, and set the one timer to the core's next wake-up. A put or a response does not pump by
itself: it asks for one pump in this turn of the loop, however many of them the turn brings. (With eager tasks, and a
client that responds without waiting, pumps would otherwise be nested as deep as there are requests.)

The other asyncio files of the package: `intake.py` (the work of each put), `service_calls.py` (calls to the service),
`buffer_waiters.py` and `outcomes/flush_waiters.py` (callers that wait), `outcomes/delivery.py` and `loop_binding.py`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import warnings
import weakref
from collections.abc import AsyncIterable, Iterable
from functools import partial
from itertools import chain, islice
from operator import length_hint
from typing import TYPE_CHECKING, Any, Final, Generic, Self, cast, overload

from truckstream.checks import check_number
from truckstream.errors import BufferFullError, InvalidArgumentError, ProducerClosedError
from truckstream.kinesis.client import KinesisClient, StreamClient
from truckstream.kinesis.limits import (
    MAX_BYTES_PER_REQUEST,
    MAX_RECORDS_PER_REQUEST,
    MIB,
)
from truckstream.kinesis.shard_map import plain_str
from truckstream.producer import fork_hook
from truckstream.producer.arguments.put_arguments import PutArguments
from truckstream.producer.arguments.types import Data, T_contra
from truckstream.producer.buffer_waiters import BufferWaiters
from truckstream.producer.core import ProducerCore
from truckstream.producer.intake import Intake
from truckstream.producer.lifecycle import Lifecycle, State
from truckstream.producer.loop_binding import LoopBinding
from truckstream.producer.options import AGGREGATE_BYTES, ProducerOptions
from truckstream.producer.outcomes.flush_waiters import FlushWaiters
from truckstream.producer.outcomes.unawaited_failures import MAX_KEPT, UnawaitedFailures
from truckstream.producer.pacing.opening_retries import OPEN_SECONDS
from truckstream.producer.service_calls import ServiceCalls
from truckstream.producer.watching.notifier import SAMPLE_SECONDS, ObserverNotifier

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from types import TracebackType
    from typing import Unpack

    from truckstream.errors import ServiceError
    from truckstream.kinesis.session.user_session import UserSession
    from truckstream.producer.arguments.keywords import ProducerKeywords
    from truckstream.producer.arguments.types import KeyOf, Serializer, SerializerName
    from truckstream.producer.outcomes.delivery import Delivery
    from truckstream.producer.queueing.request import Request
    from truckstream.producer.stats import ProducerStats
    from truckstream.producer.watching.observer import ProducerObserver

__all__ = ["Producer"]

_logger = logging.getLogger("truckstream.producer")

#: A loop of puts that never waits lets the event loop run after this many: one request's worth.
PUTS_PER_TURN: Final = 500

#: After a record of a list that is not plain, so many are put one by one: it is seldom the only one.
OTHERS_AT_A_TIME: Final = 50

#: Seconds that a closed producer waits for cancelled calls to end, and for its connections to close.
DISCONNECT_SECONDS: Final = 5.0

#: uvloop's clock shows whole milliseconds, and its timers are rounded to them. One that is a little early would be set
#: again and again until its time has come: ten pumps for each request.
TIMER_TICKS: Final = 1_000

_OPEN: Final = State.OPEN
_CLOSED_WHILE_OPENING: Final = "the producer was closed while it was opening"


class Producer(Generic[T_contra]):
    """Puts records into a Kinesis stream at the full speed of its shards.

    ```python
    async with Producer("truck-sensor-stream", region_name="us-east-1") as producer:
        delivery = await producer.put(data, partition_key)
        ack = await delivery
    ```

    Leaving the context sends the buffered records and waits for every outcome. Failures that nobody awaited are raised
    there, and by `flush`, as a `DeliveryErrorGroup`.

    Args:
        stream: the stream's name or ARN; or a `StreamClient` of your own, which the producer opens and closes.
        region_name, endpoint_url: as in aiobotocore; by default the environment's.
        session: of aiobotocore or aioboto3; by default a new one.
        buffer_bytes: the room for records between put and outcome, in bytes. A record takes its data, its key and 500
            bytes; `put` waits for room. 64 MiB by default: over 60 seconds of one full shard of 500-byte records.
        linger: seconds that a record waits for others to share its request; 0.1 by default, as in the KPL.
        delivery_timeout: seconds from put to the outcome at the latest; 120 by default, as in Kafka's producers.
        request_timeout: seconds that the service may keep silent: to take a request, and for the response.
        open_timeout: seconds that opening may take, retries included; by default 30, or `delivery_timeout` if that is
            less.
        max_in_flight: the most requests in flight at a time, 10 by default; fewer are sent while the service is slow or
            in trouble.
        max_batch_records, max_batch_bytes: the most in one request; by default the service's limits, 500 and 10 MiB.
        pacing: whether to keep each shard within its quota, instead of sending records that the service will reject.
        ordered: whether records of one key (partition key and explicit hash key) are stored in the order of put. Then
            one record of a key is in flight at a time, or one Kinesis record with `aggregate`. A record that fails is
            missing, and its successors are still sent; await its delivery first where they must not be.
        aggregate: whether records of one shard share Kinesis records, in the KPL's format. Readers must take them
            apart; truckstream's batcher does.
        aggregate_bytes: the most in one such Kinesis record, 51,200 by default. A larger record is sent by itself.
        compression: "zstd" makes the Kinesis records of `aggregate` compressed envelopes instead of aggregates of the
            KPL: ten times as many records share a shard. truckstream's readers open them; other readers need
            `truckstream.envelope.read`, or a few lines of their own.
        observer: receives an event for each request; see `truckstream.producer.ProducerObserver`.
        serializer: makes the data of each object that is put: a function, "json" or "msgpack". By default objects are
            bytes, or text that is sent as UTF-8.
        key: reads the partition key of an object that is put without one: a function, or the name of a field.

    Raises:
        InvalidArgumentError: an option is out of range or of another type.
        ConfigurationError: the stream's name is malformed, or the package for zstd is not installed.
    """

    @overload
    def __init__(
        self: Producer[Data],
        stream: str | StreamClient,
        *,
        serializer: None = None,
        key: KeyOf[Data] | None = None,
        **options: Unpack[ProducerKeywords],
    ) -> None: ...
    @overload
    def __init__(
        self: Producer[Any],
        stream: str | StreamClient,
        *,
        serializer: SerializerName,
        key: KeyOf[Any] | None = None,
        **options: Unpack[ProducerKeywords],
    ) -> None: ...
    @overload
    def __init__(
        self,
        stream: str | StreamClient,
        *,
        serializer: Serializer[T_contra],
        key: KeyOf[T_contra] | None = None,
        **options: Unpack[ProducerKeywords],
    ) -> None: ...
    def __init__(
        self,
        stream: str | StreamClient,
        *,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        session: UserSession | None = None,
        buffer_bytes: int = 64 * MIB,
        linger: float = 0.1,
        delivery_timeout: float = 120.0,
        request_timeout: float = 10.0,
        open_timeout: float | None = None,
        max_in_flight: int = 10,
        max_batch_records: int = MAX_RECORDS_PER_REQUEST,
        max_batch_bytes: int = MAX_BYTES_PER_REQUEST,
        pacing: bool = True,
        ordered: bool = False,
        aggregate: bool = False,
        aggregate_bytes: int = AGGREGATE_BYTES,
        compression: str | None = None,
        observer: ProducerObserver | None = None,
        serializer: Serializer[Any] | SerializerName | None = None,
        key: KeyOf[Any] | None = None,
    ) -> None:
        if not isinstance(stream, str) and not hasattr(stream, "put_records"):
            raise InvalidArgumentError("stream", stream, "must be a stream's name or ARN as a str, or a StreamClient")
        check_number("request_timeout", request_timeout, 0.001)
        if open_timeout is not None:
            check_number("open_timeout", open_timeout, 0.001)
        options = ProducerOptions(
            buffer_bytes=buffer_bytes,
            linger=linger,
            delivery_timeout=delivery_timeout,
            max_in_flight=max_in_flight,
            max_batch_records=max_batch_records,
            max_batch_bytes=max_batch_bytes,
            pacing=pacing,
            ordered=ordered,
            aggregate=aggregate,
            aggregate_bytes=aggregate_bytes,
            compression=compression,
        )
        self._arguments = PutArguments(serializer, key)
        self._client: StreamClient = (
            KinesisClient(
                stream,
                region_name=region_name,
                endpoint_url=endpoint_url,
                session=session,
                connections=max_in_flight,
                request_timeout=request_timeout,
            )
            if isinstance(stream, str)
            else stream
        )
        self._open_timeout = min(OPEN_SECONDS, delivery_timeout) if open_timeout is None else open_timeout
        self._notifier = None if observer is None else ObserverNotifier(observer, _name_of(stream))
        self._lifecycle = Lifecycle()
        self._loop_binding = LoopBinding()
        self._loop: asyncio.AbstractEventLoop  # set by `open`, once
        self._core = ProducerCore(options, random.Random(), self._notifier.events if self._notifier else None)
        self._calls = ServiceCalls(self._client, self._core, self._loop_binding)
        # Callers that wait, and failures for which nobody did.
        self._buffer_waiters = BufferWaiters(self._core.budget)
        self._flush_waiters = FlushWaiters()
        self._unawaited_failures = UnawaitedFailures()
        self._disconnected = asyncio.Event()
        # Scheduled work: at most one pump in this turn, one timer, and a task for each call to the service.
        self._pump_wanted = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._sampler: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrivals = self._core.arrivals
        self._intake = Intake(
            self._core,
            self._arguments,
            self._lifecycle,
            self._loop_binding,
            self._buffer_waiters.callers,
            partial(Producer._want_pump, weakref.proxy(self)),  # no cycle, so that `__del__` comes at once
        )

    # --- Opening and closing ----------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
        if error is None:
            self._raise_failures()
        elif failures := self._unawaited_failures.take():
            error.add_note(f"truckstream: {failures}")

    async def open(self) -> None:
        """Connect, and read the stream's shards and its limit on a record's size. `async with` does this.

        After a failure that a put would survive, and while the stream is being created, this tries again until
        `open_timeout`. Then it raises the last failure.

        Raises:
            StreamNotFoundError: there is no such stream in this account and region.
            ServiceError: the service cannot be reached, or returns an error; the error has its own message.
            ProducerClosedError: the producer was opened before, or is closed meanwhile.
        """
        self._lifecycle.require_new()
        self._lifecycle.to(State.OPENING)
        self._loop = self._loop_binding.bind()
        fork_hook.add(self, Producer._leave_to_parent)
        try:
            await self._start(self._calls.connect(self._open_timeout))
        except BaseException:
            task = asyncio.current_task()
            closed_meanwhile = self._lifecycle.state is not State.OPENING
            if closed_meanwhile and not (task and task.cancelling()):
                raise ProducerClosedError(_CLOSED_WHILE_OPENING) from None
            if not closed_meanwhile:
                await self._disconnect()
            raise
        if self._lifecycle.state is not State.OPENING:
            raise ProducerClosedError(_CLOSED_WHILE_OPENING)
        self._lifecycle.to(State.OPEN)
        self._intake.open()
        self._want_pump()  # the summary may have to be read again
        _logger.debug("opened: %s", self.stats)
        if self._notifier:
            self._sample()

    async def close(self, timeout: float | None = None) -> ProducerStats:  # noqa: ASYNC109 - a bound on draining
        """Send the buffered records, wait for their outcomes, and disconnect.

        Every Delivery has its outcome when this returns: acknowledged, failed, or unknown. Records put so far get until
        their `delivery_timeout`, or `timeout` seconds from now if that is sooner. If the wait is cancelled, the
        remaining records are given up at once. A second call waits for the end of the first one, and gives up the
        remaining records when its own `timeout` is sooner: `close(timeout=0)` ends a `close()` that takes too long.

        Raises:
            InvalidArgumentError: `timeout` is not a number of seconds.
            WrongEventLoopError: the producer was opened on another event loop.
        """
        if timeout is not None:
            check_number("timeout", timeout, 0)
        if self._lifecycle.state is State.NEW:
            self._lifecycle.to(State.CLOSED)
            self._disconnected.set()
        if self._lifecycle.state is State.FORKED:
            return self.stats
        self._loop_binding.check()
        if self._lifecycle.state in {State.OPENING, State.OPEN}:
            self._intake.close()
            self._lifecycle.to(State.CLOSING)
            await self._drain_and_disconnect(timeout)
        else:
            await self._wait_for_close(timeout)
        return self.stats

    async def _drain_and_disconnect(self, seconds: float | None) -> None:
        self._buffer_waiters.reject_all()
        try:
            async with asyncio.timeout(seconds):
                await self._drain()
        except TimeoutError:
            await self._give_up(seconds)
        finally:
            await self._disconnect()

    async def _wait_for_close(self, seconds: float | None) -> None:
        """Wait for another caller's `close`."""
        try:
            async with asyncio.timeout(seconds):
                await self._disconnected.wait()
        except TimeoutError:
            await self._give_up(seconds)
            await self._disconnected.wait()

    async def _give_up(self, seconds: float | None) -> None:
        if not self._lifecycle.has_ended:
            _logger.warning("closed after %s s, giving up the records that were not delivered: %s", seconds, self.stats)
            await self._end()

    async def _end(self) -> None:
        """Give every record its outcome, some in each turn of the loop. No request is sent any more.

        A cancellation is raised when all of them have it: some two hundred turns later, if the buffer was full.
        """
        if not self._lifecycle.has_ended:
            self._lifecycle.to(State.DISCONNECTING)
        cancelled: asyncio.CancelledError | None = None
        while self._core.abort() | self._hand_out():  # both, each time
            if self._notifier:
                self._notifier.notify()
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled:
            raise cancelled

    async def _disconnect(self) -> None:
        """End, and release everything, also if this is cancelled again."""
        try:
            await self._end()
        finally:
            await self._release()

    async def _release(self) -> None:
        for timer in (self._timer, self._sampler):
            if timer:
                timer.cancel()
        if self._notifier:
            self._notifier.notify_stats(self.stats, is_last=True)
        for task in self._tasks:
            task.cancel()
        try:
            await _ended(self._tasks)
        finally:
            try:
                async with asyncio.timeout(DISCONNECT_SECONDS):
                    await self._client.close()
            except TimeoutError:
                _logger.warning("the connections were not closed within %s s", DISCONNECT_SECONDS)
            finally:
                fork_hook.remove(self)
                self._lifecycle.to(State.CLOSED)
                self._disconnected.set()
                _logger.debug("closed: %s", self.stats)

    def _leave_to_parent(self) -> None:
        """Leave the records and connections to the parent process: this is a copy of its producer, made by a fork."""
        self._refuse_records_after_fork()
        self._buffer_waiters.reject_all()
        while self._core.abort(forked=True) | self._hand_out():
            pass
        self._unawaited_failures.clear()

    def _refuse_records_after_fork(self) -> None:
        """Accept no records in this copy of a producer. Its other parts may have been changing when it was made."""
        self._intake.close()
        if self._lifecycle.state is not State.FORKED:
            self._lifecycle.to(State.FORKED)

    def __del__(self) -> None:
        lifecycle = getattr(self, "_lifecycle", None)  # not there if an option was invalid
        if not lifecycle or lifecycle.state is State.NEW or lifecycle.has_ended:
            return
        stats = self.stats
        if undelivered := stats.buffered + stats.in_flight:
            _logger.error("a producer was garbage-collected with %d undelivered records: close it", undelivered)
        if lifecycle.state is not State.CLOSING:
            warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=1, source=self)

    # --- Records ----------------------------------------------------------------------------------

    async def put(
        self, data: T_contra, partition_key: str | None = None, explicit_hash_key: str | None = None
    ) -> Delivery:
        """Accept one record. Waits only for room in the buffer, first come, first served.

        Cancelling the wait is safe: the record was not accepted.

        Args:
            data: bytes, which are sent as they are; text; or an object for the `serializer`. As bytes, and with the
                key, at most the stream's limit, 1 MiB by default.
            partition_key: 1 to 256 characters; records with the same key go to the same shard. By default the object's
                `key`.
            explicit_hash_key: chooses the shard instead of the partition key: a number up to 2**128 - 1 in decimal.

        Raises:
            InvalidArgumentError: an argument breaks the service's rules.
            RecordTooLargeError: the record can never be sent.
            ProducerClosedError: the producer is not open, or this process was forked from the one that opened it.
            WrongEventLoopError: the producer was opened on another event loop.
        """
        if self._arrivals.records >= PUTS_PER_TURN:
            await self._end_turn()
        delivery = self._intake.offer(data, partition_key, explicit_hash_key)
        if not delivery.epoch:  # it was not accepted
            await self._accept_later(delivery)
        return delivery

    def try_put(
        self, data: T_contra, partition_key: str | None = None, explicit_hash_key: str | None = None
    ) -> Delivery:
        """Accept one record without waiting, or raise an error.

        Raises:
            BufferFullError: there is no room, or other callers wait for it.
            InvalidArgumentError, RecordTooLargeError, ProducerClosedError: as `put`.
        """
        delivery = self._intake.offer(data, partition_key, explicit_hash_key)
        if not delivery.epoch:  # it was not accepted
            free = 0 if self._buffer_waiters.callers else max(0, self._core.budget.free_bytes)
            raise BufferFullError(delivery.cost, free)
        return delivery

    async def put_many(
        self,
        records: Iterable[tuple[T_contra, str]]
        | AsyncIterable[tuple[T_contra, str]]
        | Iterable[T_contra]
        | AsyncIterable[T_contra],
    ) -> list[Delivery]:
        """Put each (data, partition key) of `records`, in their order. With `key`, they are objects without keys.

        The next record is asked for when the one before is accepted, so an asynchronous source is read no faster than
        there is room. Cancelling this is safe: a prefix of the records was accepted and will be delivered.

        Raises:
            InvalidArgumentError: `records` is not an iterable of such pairs or objects.
            InvalidArgumentError, RecordTooLargeError, ProducerClosedError: as `put`, for the first record that breaks
                a rule. The records before it will be delivered.
        """
        deliveries: list[Delivery] = []
        if type(records) in {list, tuple} and self._intake.has_plain_records:
            await self._put_in_bulk(iter(cast("Sequence[object]", records)), deliveries)
        elif isinstance(records, Iterable):
            await self._put_from(records, deliveries)
        elif isinstance(records, AsyncIterable):
            async for record in records:
                data, partition_key = self._arguments.pair_of(record, len(deliveries))
                deliveries.append(await self.put(data, partition_key))
        else:
            raise InvalidArgumentError("records", records, "must be an iterable, or an asynchronous one")
        return deliveries

    async def _put_in_bulk(self, records: Iterator[object], deliveries: list[Delivery]) -> None:
        """Put the records of a list or tuple: many of them in one call, and those that are not plain one by one."""
        while length_hint(records):
            if self._arrivals.records >= PUTS_PER_TURN:
                await self._end_turn()
            some = islice(records, max(1, PUTS_PER_TURN - self._arrivals.records))  # others may have put more
            if others := self._intake.offer_plain(some, deliveries):
                await self._put_from(chain(others, islice(records, OTHERS_AT_A_TIME)), deliveries)

    async def _put_from(self, records: Iterable[Any], deliveries: list[Delivery]) -> None:
        """Put records one by one, as `put` does, but without a coroutine for each."""
        pair_of, offer = self._arguments.pair_of, self._intake.offer
        plain_pair = None if self._arguments.has_key else tuple
        for record in records:
            if type(record) is plain_pair and len(record) == 2:  # noqa: PLR2004 - `pair_of` in the usual case
                data, partition_key = record
            else:
                data, partition_key = pair_of(record, len(deliveries))
            if self._arrivals.records >= PUTS_PER_TURN:
                await self._end_turn()
            delivery = offer(data, partition_key, None)
            if not delivery.epoch:
                await self._accept_later(delivery)
            deliveries.append(delivery)

    async def flush(self) -> None:
        """Send the records put so far without lingering, and wait until each has its outcome.

        Raises:
            DeliveryErrorGroup: records failed that nobody awaited, since the last flush.
            ProducerClosedError: the producer is not open.
        """
        self._lifecycle.require_open()
        await self._drain()
        self._raise_failures()

    def shard_of(self, partition_key: str) -> str | None:
        """Return the id of the shard that takes `partition_key`; None if the shards are unknown."""
        return self._core.route(plain_str("partition_key", partition_key), None).outbox.shard_id

    @property
    def stats(self) -> ProducerStats:
        """A snapshot of the counters and of the records that have no outcome yet."""
        return self._core.stats(self._loop_binding.time())

    @property
    def last_failure(self) -> ServiceError | None:
        """Why the latest request failed; None if the service has responded since, and before the first failure.

        While records wait, or `open` tries again, it is the reason. Records that shards throttle are no failure.
        """
        return self._core.last_failure

    def __repr__(self) -> str:
        return f"<Producer {self._lifecycle.state.value}: {self.stats}>"

    async def _end_turn(self) -> None:
        """Let the event loop run. It is the producer's, or else it would never send the records of this turn."""
        self._loop_binding.check()
        await asyncio.sleep(0)

    async def _accept_later(self, delivery: Delivery) -> None:
        """Accept `delivery` as soon as there is room for it."""
        await self._buffer_waiters.wait(delivery.cost)
        if self._lifecycle.state is not _OPEN:
            self._core.budget.release(delivery.cost)
            self._lifecycle.require_open()
        self._want_pump()
        self._core.put(delivery, self._arrivals.put_at)

    # --- Waiting ----------------------------------------------------------------------------------

    async def _drain(self) -> None:
        self._loop_binding.check()
        epoch = self._core.flush()
        if not self._is_flushed(epoch):
            self._want_pump()
            await self._flush_waiters.wait(epoch)

    def _is_flushed(self, epoch: int) -> bool:
        """Return whether every record up to `epoch` has its outcome, and its callers know."""
        return not self._core.has_settled and self._core.is_flushed(epoch)

    # --- Driving the core -------------------------------------------------------------------------

    def _want_pump(self) -> None:
        if not self._pump_wanted:
            self._pump_wanted = True
            self._arrivals.put_at = self._loop.time()
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_wanted = False
        if self._lifecycle.has_ended:
            return
        now = self._loop.time()
        for request in self._core.requests_due(now):
            self._start(self._send(request), partial(self._calls.on_send_cancelled, request))
        if self._core.start_listing(now):
            self._start(self._list_shards(), self._calls.on_listing_failed)
        if self._core.start_summary(now):
            self._start(self._read_summary(), self._calls.on_summary_cancelled)
        if self._hand_out():
            self._want_pump()
        self._set_timer(now)
        if self._notifier:
            self._notifier.notify()

    def _start(
        self, call: Coroutine[None, None, None], on_cancelled: Callable[[], None] | None = None
    ) -> asyncio.Task[None]:
        """Run `call` in a task. `on_cancelled` is called if the task is cancelled, even before it began."""

        def on_done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if task.cancelled() and on_cancelled:
                on_cancelled()
                self._want_pump()

        task = self._loop.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(on_done)
        return task

    async def _send(self, request: Request) -> None:
        await self._calls.send(request)
        self._want_pump()

    async def _list_shards(self) -> None:
        await self._calls.list_shards()
        self._want_pump()

    async def _read_summary(self) -> None:
        await self._calls.read_summary()
        self._intake.adopt_limit()
        self._want_pump()

    def _set_timer(self, now: float) -> None:
        at = self._core.next_wakeup(now)
        if at is None or at >= self._timer_at:
            return  # an earlier timer sets the next one
        if self._timer:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(max(at, math.ceil(at * TIMER_TICKS) / TIMER_TICKS), self._on_timer)

    def _on_timer(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self._pump()

    def _sample(self) -> None:
        assert self._notifier is not None  # noqa: S101 - or nobody samples
        self._sampler = self._loop.call_later(SAMPLE_SECONDS, self._sample)
        self._notifier.notify_stats(self.stats)

    def _hand_out(self) -> bool:
        """Wake the callers that wait for an outcome, for room, or for a flush. Return whether more have an outcome."""
        settled = self._core.take_settled()
        if not settled:
            return False
        for delivery in cast("list[Delivery]", settled):  # the shell puts nothing else
            if delivery.failure is not None:
                self._hand_out_failure(delivery)
            elif delivery.waiters is not None:
                delivery.wake()
        self._buffer_waiters.grant()
        if self._core.has_settled:
            return True
        self._flush_waiters.wake(self._is_flushed)
        return False

    def _hand_out_failure(self, delivery: Delivery) -> None:
        delivery.wake()
        if delivery.has_unawaited_failure and self._unawaited_failures.add(delivery):
            _logger.warning("over %d records failed and were not awaited so far: await them, or flush", MAX_KEPT)

    def _raise_failures(self) -> None:
        if failures := self._unawaited_failures.take():
            raise failures


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait until cancelled tasks have ended, but not for ever for one that ignores it."""
    if not (cancelled := set(tasks)):
        return
    ended, others = await asyncio.wait(cancelled, timeout=DISCONNECT_SECONDS)
    for task in ended:
        if not task.cancelled():
            task.exception()  # its caller has it already
    if others:
        _logger.error("%d calls have not ended %s s after they were cancelled", len(others), DISCONNECT_SECONDS)


def _name_of(stream: str | StreamClient) -> str:
    """Return the stream's name for an observer; that of a client is its `stream_name`, if it has one."""
    return stream.rpartition("/")[2] if isinstance(stream, str) else getattr(stream, "stream_name", "unknown")
