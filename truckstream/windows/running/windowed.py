"""Windows on a Consumer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from truckstream.checks import check_number
from truckstream.errors import InvalidArgumentError
from truckstream.windows.plan import WindowPlan
from truckstream.windows.running.shard_processor import WindowProcessor
from truckstream.windows.running.shard_states import ShardStates
from truckstream.windows.state.names import StateNames
from truckstream.windows.state.state_store import ObjectStateStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.consumer import AssignedShard, Consumer
    from truckstream.windows.running.sink import Sink
    from truckstream.windows.state.state_store import StateStore

__all__ = ["ShardWindowStats", "WindowStats", "Windowed"]


@dataclass(frozen=True, slots=True)
class ShardWindowStats:
    """The windows of one shard at one moment."""

    #: Pairs of a key and a window in memory, of at most `max_groups`.
    groups: int
    #: The event time in seconds since the epoch up to which all records are expected to have come; None before one.
    watermark: float | None


@dataclass(frozen=True, slots=True)
class WindowStats:
    """The figures of a `Windowed` since it was made. A record that came again after a lost lease counts again."""

    #: Records that were read.
    records: int
    #: Those of them that came after their window had ended, and corrected its result.
    late: int
    #: Those of them that are in no result, by reason: see `DROP_REASONS`.
    dropped: Mapping[str, int]
    #: The shards that this worker has, by stream and id: "truck-sensor-stream/shardId-000000000000".
    shards: Mapping[str, ShardWindowStats]


class Windowed:
    """Makes the windows of a stream, each result once, together with the other workers of the application.

    ```python
    plan = WindowPlan(Tumbling(10), aggregates={"speed": Mean("speed")})
    async with Consumer("truck-sensor-stream", application="speeds") as consumer:
        await Windowed(consumer, plan, sink=SqliteSink("speeds.sqlite"), state="s3://bucket/state").run()
    ```

    Args:
        consumer: reads the stream.
        plan: the windows.
        sink: gets the results; see `WindowResult` for what it keeps.
        state: where the windows are kept while they are open, so that they survive a restart and a lease that moves:
            `s3://bucket[/folder]`, a directory, or a `StateStore`. All workers use the same. It goes with the
                consumer's
            application: without an application there are no checkpoints, and nothing is kept.
        checkpoint_interval: seconds between two checkpoints of a shard. After a crash the records since the last one
            are read again.

    Raises:
        InvalidArgumentError: an option breaks a rule.
        ConfigurationError: the state's store cannot be opened.
    """

    def __init__(
        self,
        consumer: Consumer,
        plan: WindowPlan,
        *,
        sink: Sink,
        state: str | Path | StateStore | None = None,
        checkpoint_interval: float = 10.0,
    ) -> None:
        if not isinstance(plan, WindowPlan):
            raise InvalidArgumentError("plan", plan, "must be a WindowPlan")
        if not callable(getattr(sink, "write", None)):
            raise InvalidArgumentError("sink", sink, "must have the method `async def write(results)`")
        check_number("checkpoint_interval", checkpoint_interval, 0)
        if state is None and consumer.application is not None:
            rule = "must be a store: after a restart, the records before the checkpoint would be missing in the results"
            raise InvalidArgumentError("state", state, rule)
        if state is not None and consumer.application is None:
            rule = "must be None, or the consumer must have an application, under whose checkpoints states are kept"
            raise InvalidArgumentError("state", state, rule)
        self._consumer = consumer
        self._plan = plan
        self._sink = sink
        self._states = ObjectStateStore(state) if isinstance(state, str | Path) else state
        self._interval = checkpoint_interval
        self._processors: list[WindowProcessor] = []
        #: The counts of the processors that have ended.
        self._records = self._late = 0
        self._dropped: Counter[str] = Counter()

    async def run(self) -> None:
        """Make windows until `consumer.stop()` is called. The shards that this worker has then are checkpointed.

        Raises:
            WindowStateError: the state of a shard is missing, or belongs to another version or to other windows.
            WindowsFullError: a shard has more than `max_groups` groups.
            Exception: the sink's exception, or that of the plan's functions; or as `Consumer.run` does. What was read
                since the last checkpoint is read again by the next worker.
        """
        await self._consumer.run_processors(self._make_processor)

    def _make_processor(self, shard: AssignedShard) -> WindowProcessor:
        states = None
        if self._states is not None and self._consumer.application is not None:
            names = StateNames(self._consumer.application, shard.stream_name, shard.shard_id)
            states = ShardStates(shard, self._states, names)
        processor = WindowProcessor(shard, self._plan, states, self._sink, checkpoint_interval=self._interval)
        self._forget_ended()
        self._processors.append(processor)
        return processor

    def _forget_ended(self) -> None:
        for windows in (each.windows for each in self._processors if each.has_ended):
            self._records += windows.records
            self._late += windows.late
            self._dropped += windows.dropped
        self._processors = [each for each in self._processors if not each.has_ended]

    @property
    def stats(self) -> WindowStats:
        """The statistics at this moment."""
        self._forget_ended()
        running = {each.part: each.windows for each in self._processors}
        return WindowStats(
            records=self._records + sum(each.records for each in running.values()),
            late=self._late + sum(each.late for each in running.values()),
            dropped=dict(sum((each.dropped for each in running.values()), self._dropped)),
            shards={shard: ShardWindowStats(each.groups, each.watermark) for shard, each in running.items()},
        )
