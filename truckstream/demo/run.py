"""Run the demo: start local AWS, put the fleet's reports, drain the stream, and audit the objects."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from truckstream.demo.accounting.object_directory import ObjectDirectory
from truckstream.demo.accounting.record_tracker import RecordTracker
from truckstream.demo.accounting.report import DemoReport, Latency
from truckstream.demo.accounting.request_sizes import RequestSizes
from truckstream.demo.fleet_to_producer import put_fleet_reports
from truckstream.demo.local_aws.environment import isolate_from_aws
from truckstream.demo.local_aws.messages import STREAM_NAME
from truckstream.demo.local_aws.process import LocalAwsError, start_local_aws
from truckstream.demo.monitor import DemoMonitor
from truckstream.demo.output_files import reserve_output_files
from truckstream.producer import Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from truckstream.demo.display import DemoSnapshot
    from truckstream.demo.options import DemoOptions
    from truckstream.producer import ProducerStats

__all__ = ["run_demo"]


async def run_demo(
    options: DemoOptions,
    stop: asyncio.Event,
    update: Callable[[DemoSnapshot], None],
    requests: RequestSizes | None = None,
) -> DemoReport:
    """Run the pipeline, drain it, and account for each record.

    The fleet reports until `options.seconds` have passed or `stop` is set. The AWS settings in this process's
    environment are replaced.

    Args:
        options: The options of the run.
        stop: Set it to end the reports early. The records already put are still stored and accounted for.
        update: Called four times a second with a snapshot to display.
        requests: Watches the producer. It may do more than count, such as show the records on a dashboard.

    Raises:
        ConfigurationError: The output files cannot be written, or another demo is running in the directory.
        TruckstreamError: The pipeline could not be started, or it failed.
    """
    with reserve_output_files(options.out, options.report_file):
        isolate_from_aws()
        return await _run_pipeline(options, stop, update, requests or RequestSizes())


async def _run_pipeline(
    options: DemoOptions, stop: asyncio.Event, update: Callable[[DemoSnapshot], None], requests: RequestSizes
) -> DemoReport:
    async with (
        start_local_aws(options.out, options.shards) as local_aws,
        Producer(
            STREAM_NAME,
            region_name="us-east-1",
            endpoint_url=local_aws.endpoint_url,
            aggregate=options.compression is not None,
            compression=options.compression,
            observer=requests,
        ) as producer,
    ):
        tracker, objects = RecordTracker(), ObjectDirectory(options.out)
        phase = "filling" if options.rate is None else "sending"
        monitor = DemoMonitor(local_aws, producer, tracker, objects, phase)
        cpu = -time.process_time()
        async with _background_tasks(
            local_aws.follow_progress(), monitor.keep_sampling(), monitor.keep_displaying(update)
        ) as (following, *_):
            try:
                putting = put_fleet_reports(producer, tracker, options)
                stopped_at = await _run_until_stopped(putting, following, stop, options.seconds)
            except LocalAwsError:
                await producer.close(timeout=0)  # there is no service left to deliver to
                raise
            monitor.phase = "draining"
            stats = await producer.close()
            monitor.sample()
            cpu += time.process_time()
            local_aws.drain()
            await following
            monitor.sample_backlog()
        seconds = time.monotonic() - monitor.started
        return _make_report(options, stats, tracker, objects, monitor, requests, stopped_at, cpu=cpu, seconds=seconds)


@contextlib.asynccontextmanager
async def _background_tasks(*work: Coroutine[Any, Any, Any]) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Run coroutines as tasks for as long as the context is open."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _run_until_stopped(
    putting: Coroutine[Any, Any, None], following: asyncio.Task[None], stop: asyncio.Event, seconds: float
) -> float:
    """Run `putting` until `seconds` have passed or `stop` is set, and return the time when it stopped.

    Raises the error of `putting` or `following` if one of them failed before; neither ends by itself.
    """
    async with _background_tasks(putting, stop.wait()) as (put_task, stop_task):
        tasks = [put_task, stop_task, following]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        stopped_at = time.monotonic()
        failed = [task for task in (put_task, following) if task.done()]
    for task in failed:
        task.result()
    return stopped_at


def _make_report(
    options: DemoOptions,
    stats: ProducerStats,
    tracker: RecordTracker,
    objects: ObjectDirectory,
    monitor: DemoMonitor,
    requests: RequestSizes,
    stopped_at: float,
    *,
    cpu: float,
    seconds: float,
) -> DemoReport:
    audit, sizes = tracker.audit(objects.records()), objects.sizes()
    return DemoReport(
        records_put=stats.put,
        records_acked=stats.acked,
        records_failed=stats.failed,
        records_stored=audit.stored,
        records_rejected=audit.rejected,
        rejected_reasons=audit.rejected_reasons,
        lost=audit.lost,
        duplicated=audit.duplicated,
        out_of_order=tracker.out_of_order,
        misjudged=audit.misjudged,
        foreign=audit.foreign,
        objects=len(sizes),
        object_sizes={size: sizes.count(size) for size in sorted(set(sizes), reverse=True)},
        request_sizes=requests.counts(),
        shards=monitor.shard_reports(until=stopped_at),
        throttled_share=round(stats.throttled / max(1, stats.sent), 6),
        seconds=round(seconds, 2),
        latency_ms=Latency.of(audit.latencies),
        cpu_us_per_record=round(cpu * 1e6 / max(1, stats.acked), 2),
        out=str(options.out),
        seed=options.seed,
        shard_rates=monitor.shard_rates(until=stopped_at),
        backlog=monitor.backlog.samples(),
    )
