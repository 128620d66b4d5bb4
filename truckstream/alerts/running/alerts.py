"""The Alerts: a consumer with an evaluator for each shard, and the targets that all of them send to."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Self

from truckstream.alerts.running.alert_processor import AlertProcessor
from truckstream.alerts.shard.shard_alerts import ShardAlerts
from truckstream.alerts.shard.state_store import AlertStateStore
from truckstream.checks import check_number
from truckstream.consumer.consumer import Consumer
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from truckstream.alerts.delivery.target import AlertTarget
    from truckstream.alerts.rules.rule_set import RuleSet
    from truckstream.consumer.shard_processor import AssignedShard

__all__ = ["AlertStats", "Alerts"]


@dataclass(frozen=True, slots=True)
class AlertStats:
    """Counts of this process, over the shards that it has read."""

    #: Records that were read.
    records: int
    #: Records that break a rule of the schema, or have no possible time.
    invalid: int
    #: Reports that were older than the last one of their truck, or repetitions.
    late: int
    #: Beginnings and ends of incidents.
    events: int
    #: Events that wait for a target, by its name.
    waiting: dict[str, int]


class Alerts:
    """Evaluates rules on a stream, and sends an event at the beginning and the end of each incident.

    ```python
    async with Alerts("truck-sensor-stream", default_rules(), [LineTarget(print)], application="alerts") as alerts:
        await alerts.run()  # until alerts.stop()
    ```

    Workers with the same application share the shards.

    Args:
        stream: the stream's name or ARN.
        rules: the rules; see `read_rules` and `default_rules`.
        targets: where the events go. Each gets each event at least once, with the same `key` each time.
        application: the name that all workers share, and the name of their lease table. None reads all shards from
            `start` on and keeps nothing.
        state: where the state of the shards is kept: a directory, or `s3://bucket/folder` if the workers are on several
            machines. None keeps none: after a restart, incidents that had begun begin again.
        drain_seconds: how long a shard waits for its targets when it is handed over.
        consumer_options: options of the `Consumer`, such as `start`, `region_name` or `lease_duration`.

    Raises:
        ConfigurationError: the state cannot be opened, or the stream's name is malformed.
        InvalidArgumentError: an option breaks a rule.
    """

    def __init__(
        self,
        stream: str,
        rules: RuleSet,
        targets: Sequence[AlertTarget],
        *,
        application: str | None = None,
        state: str | Path | None = None,
        drain_seconds: float = 5.0,
        **consumer_options: Any,
    ) -> None:
        names = [target.name for target in targets]
        if not names or len(set(names)) < len(names):
            raise InvalidArgumentError("targets", names, "must be one or more, no two with the same name")
        if state is not None and application is None:
            raise InvalidArgumentError("state", str(state), "must go with an application, whose checkpoints it matches")
        check_number("drain_seconds", drain_seconds, 0)
        self._rules = rules
        self._targets = list(targets)
        self._drain_seconds = drain_seconds
        self._states = (
            AlertStateStore(state, region_name=consumer_options.get("region_name")) if state is not None else None
        )
        self._consumer = Consumer(stream, application=application, **consumer_options)
        self._random = Random()
        self._processors: list[AlertProcessor] = []
        #: The counts of shards that this worker has given up.
        self._ended: Counter[str] = Counter()
        self._resources = AsyncExitStack()
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            for target in self._targets:
                await opened.enter_async_context(target)
            await opened.enter_async_context(self._consumer)
            self._resources = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._resources.aclose()
        finally:
            for processor in self._processors:
                processor.abandon()

    async def run(self) -> None:
        """Evaluate the stream until `stop` is called.

        Raises:
            TruckstreamError: it cannot go on: the stream was deleted, or a permission is missing.
        """
        running = asyncio.create_task(self._consumer.run_processors(self._make_processor))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await self._consumer.close(self._drain_seconds + 5.0)
            await running
        finally:
            for task in (running, stopping):
                task.cancel()
            await asyncio.gather(running, stopping, return_exceptions=True)

    def stop(self) -> None:
        """Make `run` hand over what was read, save the state, and return."""
        self._stopping.set()

    async def wait_ready(self) -> None:
        """Return when each shard is read. With `start="LATEST"` all records that are put from then on are evaluated."""
        await self._consumer.wait_ready()

    @property
    def stats(self) -> AlertStats:
        """The counts at this moment."""
        shards = [processor.alerts for processor in self._processors]
        waiting = {target.name: sum(len(alerts.outboxes[target.name]) for alerts in shards) for target in self._targets}
        return AlertStats(
            records=sum(alerts.records for alerts in shards),
            invalid=sum(alerts.invalid for alerts in shards),
            late=sum(alerts.late for alerts in shards),
            events=sum(alerts.events for alerts in shards),
            waiting=waiting,
        )

    def _make_processor(self, shard: AssignedShard) -> AlertProcessor:
        batches = {target.name: target.batch for target in self._targets}
        alerts = ShardAlerts(self._rules, batches, self._random)
        processor = AlertProcessor(shard, alerts, self._targets, self._states, self._drain_seconds)
        for ended in [each for each in self._processors if each.has_ended]:
            self._ended += _counts(ended.alerts)
            self._processors.remove(ended)
        self._processors.append(processor)
        return processor


def _counts(alerts: ShardAlerts) -> Counter[str]:
    return Counter(records=alerts.records, invalid=alerts.invalid, late=alerts.late, events=alerts.events)
