"""`EventSourceMapping`: the tasks that feed a function from a stream.

One task runs each lane of each shard, and one more looks for new shards. Their decisions are made by `ShardPoller` and
`ShardOrder`.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, Self, Unpack

from truckstream.errors import UsageError
from truckstream.local.mapping.failure_destination import FailureDestination
from truckstream.local.mapping.function.invoker import FunctionConfig, Invoker
from truckstream.local.mapping.function.lambda_event import EventMaker
from truckstream.local.mapping.mapping_settings import MappingKeywords, MappingSettings
from truckstream.local.mapping.mapping_stats import MappingStats, sum_stats
from truckstream.local.mapping.shard_lane import ShardLane
from truckstream.local.mapping.shard_order import ShardOrder
from truckstream.local.mapping.shard_poller import ShardPoller
from truckstream.local.mapping.tasks import WakeableTasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from truckstream.local.kinesis import LocalKinesis
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["EventSourceMapping"]


class EventSourceMapping:
    """Feeds a function from a stream of a `LocalKinesis` in this process, as Lambda's event source mapping does.

        async with EventSourceMapping(kinesis, handler, batch_size=100) as mapping:
            ...                      # records that are put are processed
            await mapping.drain()    # all of these records have been processed

    Leaving the context waits for the current invocations. Records that were not processed stay in the stream.

    Args:
        kinesis: the Kinesis with the stream; without `own_process`.
        handler: `handler(event, context)`. A plain function runs in one thread, always the same; an async one runs on
            this loop, for several shards at a time.
        settings: see `MappingKeywords`. The names are those of Lambda's API where it has them.

    Raises:
        InvalidArgumentError: a setting is out of its range.
        UsageError: on entering: `kinesis` is not open in this process.
    """

    def __init__(
        self,
        kinesis: LocalKinesis,
        handler: Callable[[dict[str, Any], Any], Any],
        **settings: Unpack[MappingKeywords],
    ) -> None:
        self._settings = MappingSettings(**settings)
        self._kinesis = kinesis
        self._stream_name = self._settings.stream_name or kinesis.stream_name
        name = self._settings.function_name
        self._function = FunctionConfig(
            name=name,
            arn=f"arn:aws:lambda:{kinesis.region_name}:{kinesis.account_id}:function:{name}",
            timeout=self._settings.function_timeout_in_seconds,
            memory_in_mb=self._settings.memory_limit_in_mb,
        )
        self._invoker = Invoker(handler, self._function)
        self._stream_arn = f"arn:aws:kinesis:{kinesis.region_name}:{kinesis.account_id}:stream/{self._stream_name}"
        self._destination = FailureDestination(
            self._settings, function_arn=self._function.arn, stream_arn=self._stream_arn
        )
        self._order: ShardOrder | None = None
        self._lanes: dict[str, list[ShardLane]] = {}
        # Set when records were processed or discarded, when a lane has nothing to do, and when a task has failed.
        self._progress = asyncio.Event()
        self._tasks = WakeableTasks(on_error=self._progress.set)
        self._drains = 0
        self._is_stopping = False
        self._is_enabled = True

    def __repr__(self) -> str:
        lanes = ", ".join(f"{lane.shard.shard_id} {lane.poller!r}" for lane in self._all_lanes())
        return f"<EventSourceMapping of {self._stream_name}: {lanes or 'no shards'}>"

    async def __aenter__(self) -> Self:
        settings = self._settings
        shards = self._stream().shards.values()
        self._order = ShardOrder(shards, settings.starting_position, settings.starting_position_timestamp)
        self._start_ready_shards()
        self._tasks.start(self._look_for_shards())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_stopping = True
        self._progress.set()
        self._tasks.wake_all()
        try:
            await self._tasks.wait()
        finally:
            self._invoker.close()
        if error is None:
            self._tasks.raise_error()

    @property
    def stats(self) -> MappingStats:
        """The statistics so far, over all shards."""
        return sum_stats(lane.poller for lane in self._all_lanes())

    async def drain(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - a deadline with a message
        """Wait until every record that is in the stream now is processed or discarded.

        Batches are invoked without waiting for polls or windows; the pauses between retries are kept.

        Args:
            timeout: seconds; None for no limit.

        Raises:
            TimeoutError: the time is over; the message shows the records that are left. No record is lost.
            UsageError: the mapping is not open or not enabled, or was closed or disabled while it was drained.
        """
        if self._order is None or self._is_stopping:
            raise UsageError("the event source mapping is not open")
        targets = {shard_id: shard.next_place for shard_id, shard in self._stream().shards.items()}
        self._drains += 1
        try:
            async with asyncio.timeout(timeout):
                self._start_ready_shards()
                self._tasks.wake_all()
                while not self._has_reached(targets):
                    self._tasks.raise_error()
                    if self._is_stopping:
                        raise UsageError("the event source mapping was closed while it was drained")
                    if not self._is_enabled:
                        raise UsageError("the event source mapping is disabled: enable it, then drain it")
                    await self._wait_for_progress()
        except TimeoutError as error:
            raise TimeoutError(f"not drained within {timeout} s: {self!r}") from error
        finally:
            self._drains -= 1

    async def disable(self) -> None:
        """Stop reading and invoking, as `Enabled: false` does, and wait until the current invocations have ended.

        The checkpoints stay. Records that were read and not processed are read again when the mapping is enabled.
        """
        self._is_enabled = False
        self._tasks.wake_all()
        while self.stats.in_flight:
            self._tasks.raise_error()
            await self._wait_for_progress()
            if self._is_enabled or self._is_stopping:
                return
        for lane in self._all_lanes():
            if not lane.poller.is_finished:
                lane.poller.return_to_checkpoint(self._kinesis.now())

    def enable(self) -> None:
        """Continue from the checkpoints."""
        self._is_enabled = True
        self._tasks.wake_all()

    async def _wait_for_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    def _has_reached(self, targets: dict[str, int]) -> bool:
        return all(
            self._is_finished(shard_id)
            or (shard_id in self._lanes and all(lane.poller.position >= place for lane in self._lanes[shard_id]))
            for shard_id, place in targets.items()
        )

    # --- Shards ----------------------------------------------------------------------------------

    def _stream(self) -> Stream:
        return self._kinesis.service.stream(self._stream_name, self._kinesis.now())

    def _all_lanes(self) -> Iterator[ShardLane]:
        return (lane for lanes in self._lanes.values() for lane in lanes)

    def _is_finished(self, shard_id: str) -> bool:
        return self._order is not None and self._order.is_finished(shard_id)

    async def _look_for_shards(self) -> None:
        while not self._is_stopping:
            self._start_ready_shards()
            await self._tasks.sleep(self._settings.poll_interval_in_seconds)

    def _start_ready_shards(self) -> None:
        if self._order is None or self._is_stopping:
            return
        for shard, place in self._order.start_ready(self._stream().shards.values()):
            self._lanes[shard.shard_id] = self._make_lanes(shard, place)
            for lane in self._lanes[shard.shard_id]:
                self._tasks.start(self._run(lane))

    def _make_lanes(self, shard: LocalShard, place: int) -> list[ShardLane]:
        settings, now = self._settings, self._kinesis.now()
        events = EventMaker(
            shard.shard_id,
            stream_arn=self._stream_arn,
            region=self._kinesis.region_name,
            role_arn=f"arn:aws:iam::{self._kinesis.account_id}:role/{self._function.name}",
        )
        return [
            ShardLane(
                *(shard, number, settings),
                poller=ShardPoller(settings, events, place, now, self._random_choice(shard, number)),
                events=events,
                invoker=self._invoker,
                destination=self._destination,
                clock=self._kinesis.now,
            )
            for number in range(settings.parallelization_factor)
        ]

    def _random_choice(self, shard: LocalShard, lane: int) -> Callable[[], bool]:
        """Return a random function for one lane. A shared one would depend on the order in which lanes run."""
        random = Random(f"{self._settings.seed}/{shard.index}/{lane}")
        return lambda: random.choice((True, False))

    async def _run(self, lane: ShardLane) -> None:
        """Process a lane of a shard to its end."""
        while not lane.poller.is_finished and not self._is_stopping:
            if self._is_enabled:
                pause = await lane.process(draining=self._drains > 0)
            else:
                pause = self._settings.poll_interval_in_seconds
            self._progress.set()
            if pause is not None:
                await self._tasks.sleep(pause)
        self._finish(lane.shard.shard_id)

    def _finish(self, shard_id: str) -> None:
        """Let the children of a shard start when all of its lanes are finished."""
        if self._order is not None and all(lane.poller.is_finished for lane in self._lanes[shard_id]):
            self._order.finish(shard_id)
            self._start_ready_shards()
            self._progress.set()
