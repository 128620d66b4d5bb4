"""One run of the demo: start the stand-in, feed, drain, and hold the objects against what was put."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truckstream.demo.backend import STREAM_NAME, Backend, BackendError, start_backend
from truckstream.demo.display import Moment
from truckstream.demo.feed import feed
from truckstream.demo.ledger import Audit, Ledger
from truckstream.demo.object_directory import Bucket
from truckstream.demo.report import Latency, Report, ShardReport
from truckstream.demo.shard_rate import ShardGauge
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.limits import SHARD_RECORDS_PER_SECOND
from truckstream.producer import Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from truckstream.producer import ProducerStats

__all__ = ["DemoOptions", "run_demo"]

#: The steady part of a run begins after the burst that a full bucket allows, at the latest after this many seconds.
WARM_UP_SECONDS: Final = 2.0
WARM_UP_SHARE: Final = 0.2

#: The live view's rates look back this far.
LIVE_SECONDS: Final = 3.0

SAMPLE_SECONDS: Final = 0.02
SHOW_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to run. `rate` in records a second; None fills the shards."""

    seconds: float
    shards: int
    trucks: int
    rate: float | None
    invalid: float
    out: Path
    seed: int

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("seconds", self.seconds, 0.1, 24 * 3600.0),
            ("shards", self.shards, 1, 64),
            ("trucks", self.trucks, 1, 100_000),
            ("rate", self.rate, 0.1, 1e6),
            ("invalid", self.invalid, 0.0, 1.0),
        ):
            if value is not None and not low <= value <= high:
                raise InvalidArgumentError(name, value, f"must be from {low:g} to {high:g}")


class _Run:
    """The state of one run, and the tasks beside the feeding."""

    def __init__(self, options: DemoOptions, backend: Backend, producer: Producer) -> None:
        self.options = options
        self.backend = backend
        self.producer = producer
        self.ledger = Ledger()
        self.bucket = Bucket(options.out)
        self.gauges = {shard_id: ShardGauge() for shard_id in producer.stats.shards if shard_id is not None}
        self.started = time.monotonic()
        self.fed_until = self.started
        self.phase = "filling" if options.rate is None else "sending"
        self._objects = 0
        self._latency: float | None = None

    async def sample(self) -> None:
        """Keep the gauges and the ledger up to date, for ever."""
        while True:
            self.take_sample()
            await asyncio.sleep(SAMPLE_SECONDS)

    def take_sample(self) -> None:
        shards = self.producer.stats.shards
        now = time.monotonic()
        for shard_id, gauge in self.gauges.items():
            if shard_id in shards:
                gauge.sample(now, shards[shard_id].acked)
        self.ledger.settle()

    async def show(self, update: Callable[[Moment], None]) -> None:
        """Keep the live view up to date, for ever."""
        while True:
            await asyncio.sleep(SHOW_SECONDS)
            self._look_at_new_objects()
            update(self._moment())

    def _look_at_new_objects(self) -> None:
        for path in self.bucket.new_objects():
            self._objects += 1
            first = path.read_bytes().partition(b"\n")[0]
            put_at = self.ledger.put_at(first)
            if put_at is not None:
                self._latency = path.stat().st_mtime - put_at

    def _moment(self) -> Moment:
        now = time.monotonic()
        return Moment(
            phase=self.phase,
            elapsed=now - self.started,
            producer=self.producer.stats,
            rates={shard_id: gauge.rate(now - LIVE_SECONDS, now) for shard_id, gauge in self.gauges.items()},
            processed=self.backend.status.records,
            invocations=self.backend.status.invocations,
            objects=self._objects,
            latency=self._latency,
        )

    def shard_reports(self) -> list[ShardReport]:
        fed = self.fed_until - self.started
        steady_from = self.started + min(WARM_UP_SECONDS, fed * WARM_UP_SHARE)
        rates = {shard: gauge.rate(steady_from, self.fed_until) for shard, gauge in self.gauges.items()}
        return [
            ShardReport(shard_id, round(rate, 1), round(rate / SHARD_RECORDS_PER_SECOND, 4))
            for shard_id, rate in sorted(rates.items())
        ]


async def run_demo(options: DemoOptions, stop: asyncio.Event, update: Callable[[Moment], None]) -> Report:
    """Run the pipeline until `options.seconds` have passed or `stop` is set, drain it, and account for each record.

    Args:
        options: what to run.
        stop: ends the feeding early; what was put is still drained and accounted for.
        update: is given what to show, four times a second.

    Raises:
        TruckstreamError: the pipeline could not be started, or broke.
    """
    async with (
        start_backend(options.out, options.shards) as backend,
        Producer(STREAM_NAME, region_name="us-east-1", endpoint_url=backend.endpoint_url) as producer,
    ):
        run = _Run(options, backend, producer)
        cpu = -time.process_time()
        async with _beside(backend.watch(), run.sample(), run.show(update)) as watching:
            try:
                await _feed_until_stopped(run, stop, watching)
            except BackendError:
                await producer.close(timeout=0)  # there is nobody to drain to
                raise
            run.phase = "draining"
            stats = await producer.close()
            run.take_sample()
            cpu += time.process_time()
            backend.drain()
            await watching
        seconds = time.monotonic() - run.started
        return _account(run, stats, run.ledger.audit(run.bucket.read()), cpu, seconds)


@contextlib.asynccontextmanager
async def _beside(
    watch: Coroutine[None, None, None], *others: Coroutine[None, None, None]
) -> AsyncIterator[asyncio.Task[None]]:
    """Run coroutines beside the body. Gives the task that ends when the backend is done or has failed."""
    tasks = [asyncio.create_task(work) for work in (watch, *others)]
    try:
        yield tasks[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _feed_until_stopped(run: _Run, stop: asyncio.Event, watching: asyncio.Task[None]) -> None:
    options = run.options
    feeding = asyncio.create_task(
        feed(
            run.producer,
            run.ledger,
            trucks=options.trucks,
            rate=options.rate,
            invalid=options.invalid,
            seed=options.seed,
        )
    )
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([feeding, stopped, watching], timeout=options.seconds, return_when=asyncio.FIRST_COMPLETED)
    run.fed_until = time.monotonic()
    broken = [task for task in (feeding, watching) if task.done()]  # neither ends by itself
    for task in (feeding, stopped):
        task.cancel()
    await asyncio.gather(feeding, stopped, return_exceptions=True)
    for task in broken:
        task.result()


def _account(run: _Run, stats: ProducerStats, audit: Audit, cpu: float, seconds: float) -> Report:
    sizes = run.bucket.sizes()
    return Report(
        records_put=stats.put,
        records_acked=stats.acked,
        records_failed=stats.failed,
        records_stored=audit.stored,
        records_rejected=audit.rejected,
        lost=audit.lost,
        duplicated=audit.duplicated,
        out_of_order=run.ledger.out_of_order,
        misjudged=audit.misjudged,
        foreign=audit.foreign,
        objects=len(sizes),
        object_sizes={size: sizes.count(size) for size in sorted(set(sizes), reverse=True)},
        shards=run.shard_reports(),
        throttled_share=round(stats.throttled / max(1, stats.sent), 6),
        seconds=round(seconds, 2),
        latency_ms=Latency(p50=_percentile(audit.latencies, 0.50), p99=_percentile(audit.latencies, 0.99)),
        cpu_us_per_record=round(cpu * 1e6 / max(1, stats.acked), 2),
        out=str(run.options.out),
        seed=run.options.seed,
    )


def _percentile(ascending: list[float], share: float) -> float:
    """In milliseconds; 0 when there is nothing to measure."""
    if not ascending:
        return 0.0
    return round(ascending[min(len(ascending) - 1, int(len(ascending) * share))] * 1000, 1)
