"""The producer's only asyncio file: it drives the core, sends its requests and wakes who waits.

Every callback does the same few things, in `_pump`: send what is due, hand out outcomes, give room to those who
wait for it, and set the one timer to the core's next wake-up. A put or an answer does not pump by itself: it asks for
one pump in this turn of the loop, however many of them the turn brings. (With eager tasks, and a client that answers
without waiting, pumps would else be nested as deep as there are requests.)
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self, cast

from truckstream.errors import (
    BufferFullError,
    InvalidArgumentError,
    ProducerClosedError,
)
from truckstream.kinesis.client import KinesisClient, StreamClient
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.limits import (
    DEFAULT_MAX_RECORD_BYTES,
    MAX_BYTES_PER_REQUEST,
    MAX_RECORDS_PER_REQUEST,
    MIB,
)
from truckstream.kinesis.responses import StreamSummary
from truckstream.producer.backpressure import Room
from truckstream.producer.core import ProducerCore
from truckstream.producer.loop_binding import Home
from truckstream.producer.options import AGGREGATE_BYTES, ProducerOptions, check_number
from truckstream.producer.outcomes.delivery import Delivery
from truckstream.producer.outcomes.unawaited_failures import KEPT, Unnoticed
from truckstream.producer.queueing.queued_record import largest_size
from truckstream.producer.watching.journal import NO_JOURNAL
from truckstream.producer.watching.notifier import SAMPLE_SECONDS, Watch

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

    from aiobotocore.session import AioSession

    from truckstream.producer.queueing.request import Request
    from truckstream.producer.stats import ProducerStats
    from truckstream.producer.watching.observer import ProducerObserver

__all__ = ["Producer"]

#: Says what is wrong by kind, code and count. The service's words may quote a key, a header or a record: they are in
#: the errors that are raised, and never in here.
_logger = logging.getLogger("truckstream.producer")

#: A loop of puts that never waits gives the event loop a turn after this many: one request's worth.
PUTS_PER_TURN = 500

_CLOSED_WHILE_OPENING = "the producer was closed while it was opening"


class Producer:
    """Puts records into a Kinesis stream at the full speed of its shards.

    ```python
    async with Producer("truck-sensor-stream", region_name="us-east-1") as producer:
        delivery = await producer.put(data, partition_key)
        ack = await delivery
    ```

    Leaving the context sends what is buffered and waits for every outcome. Failures that nobody awaited are raised
    there, and by `flush`, as a `DeliveryErrorGroup`.

    Args:
        stream: the stream's name or ARN; or a `StreamClient` of your own, which is then opened and closed here.
        region_name, endpoint_url, session: as in aiobotocore; by default the environment's.
        buffer_bytes: the room for records between put and outcome, in bytes. A record takes its data and key and 500
            bytes; `put` waits for room. 64 MiB by default: over 60 seconds of one full shard of 500-byte records.
        linger: seconds that a record waits for company in its request; 0.1 by default, as in the KPL.
        delivery_timeout: seconds from put to the latest outcome; 120 by default, as in Kafka's producers.
        request_timeout: seconds that the service may take for one answer.
        max_in_flight: the most requests under way at a time, 10 by default; fewer go while the service is slow or in
            trouble.
        max_batch_records, max_batch_bytes: the most in one request; by default the service's limits, 500 and 10 MiB.
        pacing: whether to keep each shard within its quota, instead of sending what the service will refuse.
        ordered: whether records of one key (partition key and explicit hash key) land in the order of put. Then one
            record of a key is under way at a time, or one Kinesis record with `aggregate`. A record that fails is
            missing, and its successors go on; await its delivery first where they must not.
        aggregate: whether records of one shard share Kinesis records, in the KPL's format. Readers take them apart;
            truckstream's batcher does.
        aggregate_bytes: the most in one of those, 51,200 by default. A larger record goes by itself.
        observer: is told what happens, request by request; see `truckstream.producer.ProducerObserver`.

    Raises:
        InvalidArgumentError: an option is out of range or of another type.
        ConfigurationError: the stream's name is malformed.
    """

    def __init__(
        self,
        stream: str | StreamClient,
        *,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        session: AioSession | None = None,
        buffer_bytes: int = 64 * MIB,
        linger: float = 0.1,
        delivery_timeout: float = 120.0,
        request_timeout: float = 10.0,
        max_in_flight: int = 10,
        max_batch_records: int = MAX_RECORDS_PER_REQUEST,
        max_batch_bytes: int = MAX_BYTES_PER_REQUEST,
        pacing: bool = True,
        ordered: bool = False,
        aggregate: bool = False,
        aggregate_bytes: int = AGGREGATE_BYTES,
        observer: ProducerObserver | None = None,
    ) -> None:
        if not isinstance(stream, str) and not hasattr(stream, "put_records"):
            raise InvalidArgumentError("stream", stream, "must be a stream's name or ARN as a str, or a StreamClient")
        check_number("request_timeout", request_timeout, 0.001)
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
        )
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
        self._watch = None if observer is None else Watch(observer, _name_of(stream))
        self._home = Home(self._leave_to_parent)
        journal = self._watch.journal if self._watch else NO_JOURNAL
        self._core = ProducerCore(options, random.Random(), journal, self._home)
        # What each put asks, at hand. A larger record may be more than the stream, a request or the buffer takes.
        self._routes = self._core.routes
        self._surely_fits = min(DEFAULT_MAX_RECORD_BYTES, max_batch_bytes, largest_size(buffer_bytes))
        self._loop: asyncio.AbstractEventLoop  # set by `open`, once
        # It was told to open; it is open.
        self._begun = False
        self._opened = False
        # No more records; no more requests; a copy in a forked process.
        self._closed = False
        self._ended = False
        self._forked = False
        self._disconnected = asyncio.Event()
        # Who waits, and for what.
        self._room = Room(self._core)
        self._waiting_for_room = self._room.line
        self._flush_waiters: dict[asyncio.Future[None], int] = {}  # and the epoch that each waits for
        self._unnoticed = Unnoticed()
        # What is scheduled: at most one pump in this turn, one timer, and a task for each request.
        self._pump_wanted = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._sampler: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._puts_this_turn = 0
        self._turn_began = 0.0

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
        elif failures := self._unnoticed.take():
            error.add_note(f"truckstream: {failures}")

    async def open(self) -> None:
        """Connect, and learn the stream's shards and its largest record. `async with` does this.

        Raises:
            StreamNotFoundError: there is no such stream in this account and region.
            ServiceError: the service cannot be reached or refuses; the message has its own words.
            ProducerClosedError: it was opened before, or is closed meanwhile.
        """
        if self._begun or self._closed:
            raise ProducerClosedError("a producer can be opened only once: make a new one")
        self._begun = True
        self._loop = self._home.settle()
        try:
            await self._start(self._connect())
        except BaseException:
            task = asyncio.current_task()
            if self._closed and not (task and task.cancelling()):
                raise ProducerClosedError(_CLOSED_WHILE_OPENING) from None
            if not self._closed:
                self._closed = True
                await self._disconnect()
            raise
        if self._closed:
            raise ProducerClosedError(_CLOSED_WHILE_OPENING)
        self._opened = True
        _logger.debug("opened: %s", self.stats)
        if self._watch:
            self._sample()

    async def close(self, timeout: float | None = None) -> ProducerStats:  # noqa: ASYNC109 - a bound on draining
        """Send what is buffered, wait for the outcomes, and disconnect.

        Every Delivery is resolved when this returns: acknowledged, failed, or unknown. Records put so far get until
        their `delivery_timeout`, or `timeout` seconds from now if that is sooner. If the wait is cancelled the rest
        is given up at once. Another call waits for the first one's end, and gives up the rest when its own `timeout`
        is sooner: `close(timeout=0)` ends a `close()` that takes too long.

        Raises:
            InvalidArgumentError: `timeout` is no number of seconds.
            WrongEventLoopError: the producer was opened on another event loop.
        """
        if timeout is not None:
            check_number("timeout", timeout, 0)
        if not self._begun or self._forked:
            self._closed = True
            return self.stats
        self._home.check()
        if self._closed:
            await self._wait_for_close(timeout)
            return self.stats
        self._closed = True
        self._room.refuse()
        try:
            async with asyncio.timeout(timeout):
                await self._drain()
        except TimeoutError:
            self._give_up(timeout)
        finally:
            await self._disconnect()
        return self.stats

    async def _wait_for_close(self, seconds: float | None) -> None:
        """Somebody closes it already, or has done so."""
        try:
            async with asyncio.timeout(seconds):
                await self._disconnected.wait()
        except TimeoutError:
            self._give_up(seconds)
            await self._disconnected.wait()

    def _give_up(self, seconds: float | None) -> None:
        if not self._ended:
            _logger.warning("closed after %s s, and gave up what was not delivered: %s", seconds, self.stats)
            self._end()

    def _end(self) -> None:
        """No more requests: what has no outcome gets one."""
        self._ended = True
        self._core.abort()
        self._hand_out()

    async def _connect(self) -> None:
        await self._client.open()
        shards, summary = await asyncio.gather(
            self._client.list_shards(), self._client.summary(), return_exceptions=True
        )
        if isinstance(summary, StreamSummary):
            self._core.on_summary(summary)
            self._surely_fits = min(self._surely_fits, summary.max_record_bytes)
        elif not isinstance(summary, RequestFailedError):  # what it tells may be left out
            raise summary
        if isinstance(shards, RequestFailedError):
            if shards.kind is FailureKind.PERMANENT and "AccessDenied" in shards.code:
                # Least privilege may leave the listing out. Everything but pacing works without it.
                _logger.warning("%s: the shards cannot be listed, so that sends are not paced", shards.code)
            else:
                raise shards.to_service_error() from shards
        elif isinstance(shards, BaseException):
            raise shards
        else:
            self._core.on_shards(shards, self._loop.time())

    async def _disconnect(self) -> None:
        """Resolve what is left and give everything back, also where this is cancelled again."""
        self._end()
        for timer in (self._timer, self._sampler):
            if timer:
                timer.cancel()
        if self._watch:
            self._watch.sample(self.stats, is_last=True)
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            try:
                await self._client.close()
            finally:
                self._home.leave()
                self._disconnected.set()
                _logger.debug("closed: %s", self.stats)

    def _leave_to_parent(self) -> None:
        """This is a copy of a producer whose process forked: the records and the connections are the parent's."""
        self._closed = self._ended = self._forked = True
        self._room.refuse()
        self._core.abort(forked=True)
        self._hand_out()
        self._unnoticed.clear()

    def __del__(self) -> None:
        if getattr(self, "_begun", False) and not self._closed:
            warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=1, source=self)

    # --- Records ----------------------------------------------------------------------------------

    async def put(self, data: bytes, partition_key: str, *, explicit_hash_key: str | None = None) -> Delivery:
        """Accept one record; waits only for room in the buffer, first come first served.

        Cancelling the wait is safe: the record was not accepted.

        Args:
            data: the payload, sent as it is. With the key at most the stream's record size, 1 MiB by default.
            partition_key: 1 to 256 characters; records with the same key go to the same shard.
            explicit_hash_key: chooses the shard instead of the partition key: a number up to 2**128 - 1 in decimal.

        Raises:
            InvalidArgumentError: an argument breaks the service's rules.
            RecordTooLargeError: the record can never be sent.
            ProducerClosedError: the producer is not open, or this process was forked from the one that opened it.
            WrongEventLoopError: the producer was opened on another event loop.
        """
        delivery = self._make(data, partition_key, explicit_hash_key)
        self._puts_this_turn += 1
        if self._puts_this_turn > PUTS_PER_TURN or not self._offer(delivery):
            await self._put_later(delivery)
        return delivery

    def try_put(self, data: bytes, partition_key: str, *, explicit_hash_key: str | None = None) -> Delivery:
        """Accept one record now or refuse it: `put` without waiting.

        Raises:
            BufferFullError: there is no room, or others wait for it.
            InvalidArgumentError, RecordTooLargeError, ProducerClosedError: as `put`.
        """
        delivery = self._make(data, partition_key, explicit_hash_key)
        if not self._offer(delivery):
            raise BufferFullError(delivery.cost, 0 if self._waiting_for_room else max(0, self._core.free_bytes))
        return delivery

    async def put_many(self, records: Iterable[tuple[bytes, str]]) -> list[Delivery]:
        """Put each (data, partition key) of `records`, in their order.

        Cancelling it is safe: a prefix of them was accepted, and is on its way.

        Raises:
            InvalidArgumentError: `records` is no iterable of such pairs.
            and what `put` raises for the first record that is refused; those before it are on their way.
        """
        if not isinstance(records, Iterable):
            raise InvalidArgumentError("records", records, "must be an iterable of (data, partition key) pairs")
        deliveries: list[Delivery] = []
        for record in records:
            try:
                data, partition_key = record
            except (TypeError, ValueError):
                rule = f"must be a pair of data and partition key: records[{len(deliveries)}] is none"
                raise InvalidArgumentError("records", record, rule) from None
            delivery = self._make(data, partition_key, None)
            self._puts_this_turn += 1
            if self._puts_this_turn > PUTS_PER_TURN or not self._offer(delivery):
                await self._put_later(delivery)
            deliveries.append(delivery)
        return deliveries

    async def flush(self) -> None:
        """Send what was put so far without lingering, and wait until all of it has an outcome.

        Raises:
            DeliveryErrorGroup: records failed that nobody awaited, since the last flush.
            ProducerClosedError: the producer is not open.
        """
        self._require_open()
        await self._drain()
        self._raise_failures()

    def shard_of(self, partition_key: str) -> str | None:
        """The id of the shard that takes `partition_key`; None when the shards are not known."""
        return self._core.route(partition_key, None).outbox.shard_id

    @property
    def stats(self) -> ProducerStats:
        """A snapshot of counters and of what is on its way."""
        return self._core.stats(self._loop.time() if self._begun else 0.0)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._opened else "not open"
        return f"<Producer {state}: {self.stats}>"

    def _make(self, data: bytes, partition_key: str, explicit_hash_key: str | None) -> Delivery:
        if self._closed or not self._opened:
            self._require_open()
        if not isinstance(data, bytes):
            data = _bytes_of(data)
        try:
            route = self._routes.get(partition_key) if explicit_hash_key is None else None
        except TypeError:  # it cannot be a key of anything
            route = None
        outbox, key_size, tail = route or self._core.route(partition_key, explicit_hash_key)
        size = len(data) + key_size
        if size > self._surely_fits:
            self._core.check_size(size)
        return Delivery(data, tail, partition_key, explicit_hash_key, size, outbox)

    def _offer(self, delivery: Delivery) -> bool:
        """Accept `delivery` if there is room for it."""
        if not self._pump_wanted:
            self._want_pump()
        if self._waiting_for_room or not self._core.reserve(delivery.size):
            return False
        self._core.put(delivery, self._turn_began)
        return True

    async def _put_later(self, delivery: Delivery) -> None:
        """Accept `delivery` in another turn of the loop, as soon as there is room for it."""
        if self._puts_this_turn > PUTS_PER_TURN:
            await asyncio.sleep(0)
            self._require_open()
        if self._waiting_for_room or not self._core.reserve(delivery.size):
            await self._wait_for_room(delivery.size)
        self._want_pump()
        self._core.put(delivery, self._turn_began)

    def _require_open(self) -> None:
        if self._forked:
            raise ProducerClosedError("this process was forked from the one that opened the producer: make a new one")
        if self._closed:
            raise ProducerClosedError("the producer is closed")
        if not self._opened:
            raise ProducerClosedError("the producer is not open: use it as `async with Producer(...) as producer`")

    # --- Waiting ----------------------------------------------------------------------------------

    async def _wait_for_room(self, size: int) -> None:
        self._home.check()
        await self._room.wait(size)
        if self._closed:
            self._core.release(size)
            self._require_open()

    async def _drain(self) -> None:
        self._home.check()
        epoch = self._core.flush()
        if self._core.is_flushed(epoch):
            return
        flushed = self._loop.create_future()
        self._flush_waiters[flushed] = epoch
        self._want_pump()
        try:
            await flushed
        finally:
            del self._flush_waiters[flushed]

    # --- Driving the core -------------------------------------------------------------------------

    def _want_pump(self) -> None:
        if not self._pump_wanted:
            self._home.check()
            self._pump_wanted = True
            self._turn_began = self._loop.time()
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_wanted = False
        if self._ended:
            return
        self._puts_this_turn = 0
        now = self._loop.time()
        for request in self._core.requests_due(now):
            self._start(self._send(request))
        if self._core.shards_wanted(now):
            self._start(self._refresh_shards())
        self._hand_out()
        self._set_timer(now)
        if self._watch:
            self._watch.tell()

    def _set_timer(self, now: float) -> None:
        at = self._core.next_wakeup(now)
        if at is None or at >= self._timer_at:
            return  # an earlier timer sets the next one
        if self._timer:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self._pump()

    def _sample(self) -> None:
        assert self._watch is not None  # noqa: S101 - else nobody samples
        self._sampler = self._loop.call_later(SAMPLE_SECONDS, self._sample)
        self._watch.sample(self.stats)

    def _hand_out(self) -> None:
        settled = self._core.take_settled()
        if not settled:
            return
        for delivery in cast("list[Delivery]", settled):  # only deliveries are put
            if delivery.error is not None:
                self._hand_out_failure(delivery)
            elif delivery.waiters is not None:
                delivery.wake()
        self._room.give()
        for flushed, epoch in self._flush_waiters.items():
            if not flushed.done() and self._core.is_flushed(epoch):
                flushed.set_result(None)

    def _hand_out_failure(self, delivery: Delivery) -> None:
        delivery.wake()
        if delivery.unnoticed_failure and self._unnoticed.add(delivery):
            _logger.warning("over %d records failed and were not awaited so far: await them, or flush", KEPT)

    def _raise_failures(self) -> None:
        if failures := self._unnoticed.take():
            raise failures

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send(self, request: Request) -> None:
        try:
            answers = await self._client.put_records(request.entries)
            self._core.on_answers(request, answers, self._loop.time())
        except asyncio.CancelledError:
            # Closing does it, after it has resolved the records, or somebody cancels every task of the loop.
            cancelled = RequestFailedError(FailureKind.AMBIGUOUS, "Cancelled", "its task was cancelled")
            self._core.on_failure(request, cancelled, self._loop.time())
            self._want_pump()
            raise
        except RequestFailedError as failure:
            _logger.info("a request of %d records failed: %s (%s)", request.records, failure.code, failure.kind.value)
            self._core.on_failure(request, failure, self._loop.time())
        except Exception as error:
            # A defect, here or in the client. The records must not vanish with it.
            _logger.exception("a request of %d records failed unexpectedly", request.records)
            unknown = RequestFailedError(FailureKind.AMBIGUOUS, type(error).__name__, str(error))
            self._core.on_failure(request, unknown, self._loop.time())
        self._want_pump()

    async def _refresh_shards(self) -> None:
        try:
            self._core.on_shards(await self._client.list_shards(), self._loop.time())
            _logger.info("the shards were listed again: %s", self.stats)
        except asyncio.CancelledError:
            self._core.on_shards_failure(self._loop.time())
            self._want_pump()
            raise
        except RequestFailedError as failure:
            _logger.info("listing the shards failed: %s (%s)", failure.code, failure.kind.value)
            self._core.on_shards_failure(self._loop.time())
        except Exception:
            _logger.exception("listing the shards failed unexpectedly")
            self._core.on_shards_failure(self._loop.time())
        self._want_pump()


def _bytes_of(data: object) -> bytes:
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise InvalidArgumentError("data", data, "must be bytes: encode text and objects first")


def _name_of(stream: str | StreamClient) -> str:
    """What an observer is told of the stream: its name, of a client its `stream_name` if it has one."""
    return stream.rpartition("/")[2] if isinstance(stream, str) else getattr(stream, "stream_name", "unknown")
