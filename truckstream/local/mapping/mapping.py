"""`EventSourceMapping`: the shell around the pilots.

One task for each lane of a shard (one, or as many as the parallelization factor): poll, ask the pilot, invoke, settle,
sleep until the pilot's next time. One task more looks for new shards. All decisions are the pilots' and the roster's.

Its reads are not charged to the shards' read quota, although Lambda's are: one poll a second, with what it brings,
stays below 5 calls and 2 MiB/s except where a backlog is read, and there a laptop should not wait.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import uuid
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from truckstream.errors import UsageError
from truckstream.local.mapping.function.invoker import Function, FunctionError, Invoker
from truckstream.local.mapping.function.lambda_event import EventMaker
from truckstream.local.mapping.function.on_failure import failure_document, failure_object
from truckstream.local.mapping.function.response import Verdict, failed, judge
from truckstream.local.mapping.mapping_settings import (
    PAYLOAD_BYTES,
    REPORT_BATCH_ITEM_FAILURES,
    MappingSettings,
    StartingPosition,
    Tail,
)
from truckstream.local.mapping.mapping_stats import MappingStats, add_up
from truckstream.local.mapping.shard_order import Roster
from truckstream.local.mapping.shard_poller import ShardPilot
from truckstream.local.service.identifiers.hash_key import hash_of
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

    from truckstream.local.kinesis import LocalKinesis
    from truckstream.local.service.state.shard import LocalShard, Record
    from truckstream.local.service.state.stream import Stream

__all__ = ["EventSourceMapping"]

_log: Final = logging.getLogger(__name__)


class FailureStore(Protocol):
    """What is used of the store of discarded batches: any of obstore's has it."""

    def put_async(self, path: str, file: bytes, /) -> Awaitable[Any]: ...


class EventSourceMapping:
    """Feeds a function from a stream of a `LocalKinesis` in this process, as Lambda's event source mapping does.

        async with EventSourceMapping(kinesis, handler) as mapping:
            ...                      # records that are put are processed
            await mapping.drain()    # and these have been

    Leaving the context stops it after the invocations under way; what was not processed stays in the stream.

    Args:
        kinesis: where the stream is; without `own_process`.
        handler: `handler(event, context)`. A plain function runs in one thread, always the same; an async one on this
            loop, for several shards at a time.
        stream_name: the stream; by default that of `kinesis`.
        batch_size: most records of an invocation, 1 to 10,000. 498-byte records fill the event's 6 MB at about 5,000.
        maximum_batching_window_in_seconds: how long a batch waits to be filled, 0 to 300.
        function_response_types: without ReportBatchItemFailures the function's answer is ignored.
        starting_position: TRIM_HORIZON begins with the oldest record, LATEST with the next one to come, AT_TIMESTAMP
            with the first that came at `starting_position_timestamp`, in seconds since the epoch, or later.
        function_timeout_in_seconds: when an invocation has failed; Lambda's most is 900.
        maximum_retry_attempts: for a batch that makes no progress; -1 retries until its records expire.
        maximum_record_age_in_seconds: older records are discarded before an invocation; -1 keeps them all.
        bisect_batch_on_function_error: halve a batch that failed as a whole.
        on_failure: is called (and awaited, if it is async) with the service's document of each batch that is discarded,
            as a queue or a topic gets it: it names the records and does not hold them.
        on_failure_store: an obstore store, to which the same goes as to a bucket, with the records, under the service's
            keys: `aws/lambda/<mapping>/<shard>/YYYY/MM/DD/…`.
        poll_interval_in_seconds: between two reads of a shard; the service reads once a second.
        retry_base_in_seconds, retry_limit_in_seconds: the pause before the first retry, which doubles up to the limit.
        function_name: as the context tells it.
        memory_limit_in_mb: as the context tells it; nothing enforces it.
        parallelization_factor: batches of one shard that are processed at the same time, 1 to 10; records of one
            partition key stay in order. A plain function still takes one call at a time.
        tail: what comes back after a failure inside a batch: the rest "alone", or "topped up" with newer records, or
            "either", by a seeded choice. AWS promises neither.
        seed: of these choices.

    Raises:
        InvalidArgumentError: a setting is out of its range.
        UsageError: on entering: `kinesis` is not open in this process.
    """

    def __init__(
        self,
        kinesis: LocalKinesis,
        handler: Callable[[dict[str, Any], Any], Any],
        *,
        stream_name: str | None = None,
        batch_size: int = 4_900,
        maximum_batching_window_in_seconds: float = 5.0,
        function_response_types: Iterable[str] = (REPORT_BATCH_ITEM_FAILURES,),
        starting_position: StartingPosition = "TRIM_HORIZON",
        starting_position_timestamp: float | None = None,
        function_timeout_in_seconds: float = 300.0,
        maximum_retry_attempts: int = -1,
        maximum_record_age_in_seconds: float = -1,
        bisect_batch_on_function_error: bool = False,
        on_failure: Callable[[dict[str, Any]], Awaitable[None] | None] | None = None,
        on_failure_store: FailureStore | None = None,
        poll_interval_in_seconds: float = 1.0,
        retry_base_in_seconds: float = 0.1,
        retry_limit_in_seconds: float = 60.0,
        function_name: str = "truckstream",
        memory_limit_in_mb: int = 512,
        parallelization_factor: int = 1,
        tail: Tail = "alone",
        seed: int = 0,
    ) -> None:
        self._settings = MappingSettings(
            batch_size=batch_size,
            maximum_batching_window_in_seconds=maximum_batching_window_in_seconds,
            function_response_types=tuple(function_response_types),
            starting_position=starting_position,
            starting_position_timestamp=starting_position_timestamp,
            function_timeout_in_seconds=function_timeout_in_seconds,
            maximum_retry_attempts=maximum_retry_attempts,
            maximum_record_age_in_seconds=maximum_record_age_in_seconds,
            bisect_batch_on_function_error=bisect_batch_on_function_error,
            poll_interval_in_seconds=poll_interval_in_seconds,
            retry_base_in_seconds=retry_base_in_seconds,
            retry_limit_in_seconds=retry_limit_in_seconds,
            parallelization_factor=parallelization_factor,
            tail=tail,
        )
        self._seed = seed
        self._id = str(uuid.uuid4())
        self._kinesis = kinesis
        self._stream_name = stream_name or kinesis.stream_name
        self._on_failure = on_failure
        self._on_failure_store = on_failure_store
        self._handler = handler
        self._function = Function(
            name=function_name,
            arn=f"arn:aws:lambda:{kinesis.region_name}:{kinesis.account_id}:function:{function_name}",
            timeout=function_timeout_in_seconds,
            memory_in_mb=memory_limit_in_mb,
        )
        self._invoker: Invoker | None = None
        self._roster: Roster | None = None
        # Of each shard, one for each lane.
        self._pilots: dict[str, list[ShardPilot]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # Wakes a task that sleeps: something else than time has changed for it.
        self._wakes: dict[asyncio.Task[None], asyncio.Event] = {}
        # Set when a record was settled, or when a task has failed.
        self._moved = asyncio.Event()
        self._drains = 0
        self._is_stopping = False
        self._is_enabled = True
        self._crash: BaseException | None = None

    def __repr__(self) -> str:
        pilots = ", ".join(f"{shard_id} {pilot!r}" for shard_id, lanes in self._pilots.items() for pilot in lanes)
        return f"<EventSourceMapping of {self._stream_name}: {pilots or 'no shards'}>"

    async def __aenter__(self) -> Self:
        settings = self._settings
        shards = self._stream().shards.values()
        self._roster = Roster(shards, settings.starting_position, settings.starting_position_timestamp)
        self._invoker = Invoker(self._handler, self._function)
        self._start_ready_shards()
        self._spawn(self._look_for_shards())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_stopping = True
        self._moved.set()
        self._wake_all()
        try:
            while self._tasks:
                await asyncio.wait(list(self._tasks))
        finally:
            for task in self._tasks:
                task.cancel()
            if self._invoker is not None:
                self._invoker.close()
        if error is None:
            self._raise_crash()

    @property
    def stats(self) -> MappingStats:
        """What the mapping did so far, over all shards."""
        return add_up(pilot for lanes in self._pilots.values() for pilot in lanes)

    async def drain(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - a deadline with a message
        """Wait until every record that is in the stream now is processed or discarded.

        Batches are invoked without waiting for polls or windows; pauses between retries are kept.

        Args:
            timeout: seconds; None waits as long as it takes.

        Raises:
            TimeoutError: the time is over; it says what is left. Nothing is lost by it.
            UsageError: the mapping is not open or not enabled, or was closed or disabled meanwhile.
        """
        if self._roster is None or self._is_stopping:
            raise UsageError("the event source mapping is not open")
        targets = {shard_id: shard.next_place for shard_id, shard in self._stream().shards.items()}
        self._drains += 1
        try:
            async with asyncio.timeout(timeout):
                self._start_ready_shards()
                self._wake_all()
                while not self._has_reached(targets):
                    self._raise_crash()
                    if self._is_stopping:
                        raise UsageError("the event source mapping was closed while it was drained")
                    if not self._is_enabled:
                        raise UsageError("the event source mapping is disabled: enable it, then drain it")
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError as error:
            raise TimeoutError(f"not drained within {timeout} s: {self!r}") from error
        finally:
            self._drains -= 1

    async def disable(self) -> None:
        """Stop reading and invoking, as `Enabled: false` does; returns when the invocations under way have ended.

        The checkpoints stay. What was read and not processed comes again when the mapping is enabled, cut anew.
        """
        self._is_enabled = False
        self._wake_all()
        while self.stats.in_flight:
            self._raise_crash()
            self._moved.clear()
            await self._moved.wait()
            if self._is_enabled or self._is_stopping:
                return
        for lanes in self._pilots.values():
            for pilot in (each for each in lanes if not each.is_finished):
                pilot.return_to_checkpoint(self._kinesis.now())

    def enable(self) -> None:
        """Go on from the checkpoints."""
        self._is_enabled = True
        self._wake_all()

    def _has_reached(self, targets: dict[str, int]) -> bool:
        return all(
            self._is_finished(shard_id)
            or (shard_id in self._pilots and all(pilot.position >= place for pilot in self._pilots[shard_id]))
            for shard_id, place in targets.items()
        )

    # --- Shards ----------------------------------------------------------------------------------

    def _stream(self) -> Stream:
        return self._kinesis.service.stream(self._stream_name, self._kinesis.now())

    def _is_finished(self, shard_id: str) -> bool:
        return self._roster is not None and self._roster.is_finished(shard_id)

    def _start_ready_shards(self) -> None:
        if self._roster is None or self._is_stopping:
            return
        for shard, place in self._roster.start_ready(self._stream().shards.values()):
            events = EventMaker(
                shard.shard_id,
                stream_arn=self._stream().arn,
                region=self._kinesis.region_name,
                role_arn=f"arn:aws:iam::{self._kinesis.account_id}:role/{self._function.name}",
            )
            lanes = self._pilots[shard.shard_id] = [
                ShardPilot(self._settings, events, place, self._kinesis.now(), self._coin(shard, lane))
                for lane in range(self._settings.parallelization_factor)
            ]
            for lane in range(len(lanes)):
                self._spawn(self._fly(shard, lane, events))

    def _coin(self, shard: LocalShard, lane: int) -> Callable[[], bool]:
        """One for each lane: their turns come in no order that could be repeated."""
        random = Random(f"{self._seed}/{shard.index}/{lane}")
        return lambda: random.choice((True, False))

    async def _look_for_shards(self) -> None:
        while not self._is_stopping:
            self._start_ready_shards()
            await self._sleep(self._settings.poll_interval_in_seconds)

    async def _fly(self, shard: LocalShard, lane: int, events: EventMaker) -> None:
        """Process a lane of a shard to its end."""
        lanes = self._pilots[shard.shard_id]
        pilot = lanes[lane]
        while not pilot.is_finished and not self._is_stopping:
            now = self._kinesis.now()
            if not self._is_enabled:
                self._moved.set()
                await self._sleep(self._settings.poll_interval_in_seconds)
                continue
            hurry = self._drains > 0
            if pilot.wants_poll(now, hurry=hurry):
                self._poll(shard, lane, now)
            records = pilot.next_batch(now, hurry=hurry)
            await self._report_discards(shard, pilot, events, "")
            if records is not None:
                request_id = str(uuid.uuid4())
                verdict = await self._invoke(records, events, request_id)
                pilot.settle(verdict, self._kinesis.now())
                await self._report_discards(shard, pilot, events, request_id)
            elif not pilot.is_finished:
                self._moved.set()
                await self._sleep(pilot.next_time(now) - now)
            self._moved.set()
        if self._roster is not None and all(each.is_finished for each in lanes):
            self._roster.finish(shard.shard_id)
            self._start_ready_shards()
            self._moved.set()

    def _poll(self, shard: LocalShard, lane: int, now: float) -> None:
        lanes = self._pilots[shard.shard_id]
        pilot = lanes[lane]
        records = shard.read(pilot.read_from, limits.GET_RECORDS, limits.GET_BYTES)
        read_to = records[-1].place + 1 if records else max(pilot.read_from, shard.first_place)
        ended = not shard.is_open and read_to >= shard.next_place
        if len(lanes) > 1:
            records = [record for record in records if hash_of(record.partition_key) % len(lanes) == lane]
        pilot.receive(records, now, read_to=read_to, shard_ended=ended)

    async def _invoke(self, records: list[Record], events: EventMaker, request_id: str) -> Verdict:
        assert self._invoker is not None  # noqa: S101 - the mapping is open
        if events.frame_bytes() + events.size_of(records[0]) > PAYLOAD_BYTES:
            _log.warning("record %s does not fit into an event of 6 MB", records[0].sequence_number)
            return failed()
        try:
            answer = await self._invoker.invoke(lambda: events.make(records), request_id)
        except FunctionError as error:
            _log.warning("the function failed with %d records", len(records), exc_info=error)
            return failed()
        numbers = [record.sequence_number for record in records]
        return judge(answer, numbers, reports_item_failures=self._settings.reports_item_failures)

    async def _report_discards(self, shard: LocalShard, pilot: ShardPilot, events: EventMaker, request_id: str) -> None:
        discards, pilot.discards = pilot.discards, []
        for discard in discards:
            document = failure_document(
                discard,
                request_id=request_id,
                function_arn=self._function.arn,
                shard_id=shard.shard_id,
                stream_arn=self._stream().arn,
            )
            if self._on_failure is not None:
                done = self._on_failure(document)
                if inspect.isawaitable(done):
                    await done
            if self._on_failure_store is not None:
                event, name = events.make(discard.records), str(uuid.uuid4())
                key, content = failure_object(document, event, mapping_id=self._id, name=name)
                await self._on_failure_store.put_async(key, content)

    # --- Tasks -----------------------------------------------------------------------------------

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        self._wakes[task] = asyncio.Event()
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        del self._wakes[task]
        if not task.cancelled() and task.exception() is not None:
            self._crash = self._crash or task.exception()
            self._moved.set()

    def _wake_all(self) -> None:
        for wake in self._wakes.values():
            wake.set()

    async def _sleep(self, seconds: float) -> None:
        """Sleep for so long, or until woken."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this runs in one of our tasks
        wake = self._wakes[task]
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await wake.wait()
        except TimeoutError:
            return
        wake.clear()

    def _raise_crash(self) -> None:
        if self._crash is not None:
            raise self._crash
