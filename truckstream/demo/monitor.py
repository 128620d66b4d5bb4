"""Watch a run: sample the rate of each shard, collect the outcomes of records, and take snapshots for the display."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from truckstream.demo.accounting.report import ShardReport
from truckstream.demo.accounting.shard_rate import ShardRateMeter
from truckstream.demo.accounting.timeline import BacklogSample, BacklogSeries, shard_rates
from truckstream.demo.display import DemoSnapshot
from truckstream.kinesis.limits import SHARD_RECORDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.demo.accounting.object_directory import ObjectDirectory
    from truckstream.demo.accounting.record_tracker import RecordTracker
    from truckstream.demo.accounting.timeline import ShardRate
    from truckstream.demo.local_aws.process import LocalAws
    from truckstream.producer import Producer

__all__ = ["DemoMonitor"]

#: The steady part of a run begins after the burst that a full token bucket allows: after this many seconds, or after
#: this share of a short run.
WARM_UP_SECONDS: Final = 2.0
WARM_UP_SHARE: Final = 0.2

#: The display shows the rates of the last seconds.
DISPLAYED_SECONDS: Final = 3.0

SAMPLE_SECONDS: Final = 0.02
SNAPSHOT_SECONDS: Final = 0.25


class DemoMonitor:
    """Watches one run from its first put."""

    def __init__(
        self, local_aws: LocalAws, producer: Producer, tracker: RecordTracker, objects: ObjectDirectory, phase: str
    ) -> None:
        #: Shown in the snapshots: "filling", "sending" or "draining".
        self.phase = phase
        self.started = time.monotonic()
        self._local_aws = local_aws
        self._producer = producer
        self._tracker = tracker
        self._objects = objects
        self._meters = {shard_id: ShardRateMeter() for shard_id in producer.stats.shards if shard_id is not None}
        self._object_count = 0
        self._latency: float | None = None
        self.backlog = BacklogSeries()

    async def keep_sampling(self) -> None:
        """Take samples until cancelled."""
        while True:
            self.sample()
            await asyncio.sleep(SAMPLE_SECONDS)

    def sample(self) -> None:
        """Sample the shards' counts, and collect the outcomes of the records that are done."""
        shards = self._producer.stats.shards
        now = time.monotonic()
        for shard_id, meter in self._meters.items():
            if shard_id in shards:
                meter.sample(now, shards[shard_id].acked)
        self._tracker.collect_outcomes()

    async def keep_displaying(self, update: Callable[[DemoSnapshot], None]) -> None:
        """Call `update` with snapshots until cancelled."""
        while True:
            await asyncio.sleep(SNAPSHOT_SECONDS)
            self._read_new_objects()
            self.sample_backlog()
            update(self._snapshot())

    def sample_backlog(self) -> None:
        """Sample the number of records on their way."""
        stats, processed = self._producer.stats, self._local_aws.progress.records
        # The function's count can be ahead of the acknowledgements that are on their way back to the producer.
        in_stream = max(0, stats.acked - processed)
        seconds = round(time.monotonic() - self.started, 2)
        self.backlog.offer(BacklogSample(seconds, stats.buffered + stats.in_flight, in_stream))

    def shard_rates(self, until: float) -> list[ShardRate]:
        """Return each shard's rate in each step of the run, which ends at `until`."""
        return shard_rates(self._meters, self.started, until)

    def shard_reports(self, until: float) -> list[ShardReport]:
        """Return each shard's rate over the steady part of the run, which ends at `until`."""
        steady_from = self.started + min(WARM_UP_SECONDS, (until - self.started) * WARM_UP_SHARE)
        rates = {shard_id: meter.rate(steady_from, until) for shard_id, meter in self._meters.items()}
        return [
            ShardReport(shard_id, round(rate, 1), round(rate / SHARD_RECORDS_PER_SECOND, 4))
            for shard_id, rate in sorted(rates.items())
        ]

    def _read_new_objects(self) -> None:
        for path in self._objects.new_objects():
            self._object_count += 1
            first_record = path.read_bytes().partition(b"\n")[0]
            put_at = self._tracker.first_put_at(first_record)
            if put_at is not None:
                self._latency = path.stat().st_mtime - put_at

    def _snapshot(self) -> DemoSnapshot:
        now = time.monotonic()
        return DemoSnapshot(
            phase=self.phase,
            elapsed=now - self.started,
            producer=self._producer.stats,
            rates={shard_id: meter.rate(now - DISPLAYED_SECONDS, now) for shard_id, meter in self._meters.items()},
            processed=self._local_aws.progress.records,
            invocations=self._local_aws.progress.invocations,
            objects=self._object_count,
            latency=self._latency,
        )
