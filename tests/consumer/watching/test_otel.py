"""The consumer's metrics, read back through OpenTelemetry's SDK."""

import asyncio
import inspect
import random
from dataclasses import replace

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.consumer.local_client import LocalClient, LocalStream
from tests.consumer.support import on_virtual_time
from truckstream.consumer import AggregateBroken, Consumer, ConsumerStats, ConsumerStatsSampled
from truckstream.consumer.watching.stats import stats_of_other
from truckstream.metrics import CONSUMER_METRICS
from truckstream.otel import OpenTelemetryConsumerObserver, consumer_observer

PREFIX = "truckstream.consumer."


class Backend:
    """A meter provider, and the sums of its metrics."""

    def __init__(self):
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)

    def totals(self):
        data = self._reader.get_metrics_data()
        return {
            metric.name: sum(
                point.count if hasattr(point, "count") else point.value for point in metric.data.data_points
            )
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name):
        """The values of a metric, by the names of stream and shard."""
        data = self._reader.get_metrics_data()
        return {
            tuple(point.attributes.get(f"aws.kinesis.{part}") for part in ("stream_name", "shard_id")): point.value
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == PREFIX + name
            for point in metric.data.data_points
        }


@pytest.fixture
def backend():
    backend = Backend()
    yield backend
    backend.provider.shutdown()


@on_virtual_time
async def test_the_metrics_agree_with_what_was_read(backend):
    stream = LocalStream(shards=2)
    stream.put(800)
    client = LocalClient(stream, faults=0.2, rng=random.Random(3))
    observer = OpenTelemetryConsumerObserver(backend.provider)
    seen = 0
    async with Consumer(client, observer=observer) as consumer:
        async for batch in consumer:
            seen += len(batch)
            if seen == 800:
                await batch.checkpoint()
                break
        await asyncio.sleep(1.5)
        during = backend.totals()
        observer.aggregate_broken(
            AggregateBroken(stream="trucks", shard="shardId-000000000000", sequence_number="1", reason="truncated")
        )
    totals = backend.totals()
    assert during[PREFIX + "leases.held"] == 2
    assert totals[PREFIX + "leases.held"] == totals.get(PREFIX + "prefetch.used", 0) == 0
    assert totals[PREFIX + "records.read"] == totals[PREFIX + "records.processed"] == 800
    assert totals[PREFIX + "reads"] == totals[PREFIX + "read.duration"]
    assert totals[PREFIX + "reads.failed"] > 0
    assert totals[PREFIX + "leases.taken"] == 2


async def sleep_for_an_hour(_):
    await asyncio.sleep(3_600)


@on_virtual_time
async def test_the_lag_grows_while_a_handler_hangs_and_ends_with_the_consumer(backend):
    stream = LocalStream(shards=2)
    stream.put(100)
    observer = OpenTelemetryConsumerObserver(backend.provider)
    async with Consumer(LocalClient(stream), observer=observer) as consumer:
        running = asyncio.create_task(consumer.run(sleep_for_an_hour))
        seen = []
        for _ in range(3):
            await asyncio.sleep(600)
            seen.append(backend.points("behind"))
            assert max(seen[-1].values()) == pytest.approx(consumer.stats.millis_behind_latest / 1000, abs=1.1)
        await consumer.close(timeout=0)
        await running
    assert all(list(each) == [("trucks", f"shardId-{n:012d}") for n in range(2)] for each in seen)
    assert [round(min(each.values()), -1) for each in seen] == [600, 1200, 1800]
    assert backend.points("behind") == {}


@on_virtual_time
async def test_the_lag_of_a_consumer_that_keeps_up_is_small(backend):
    stream = LocalStream()
    observer = OpenTelemetryConsumerObserver(backend.provider)
    async with Consumer(LocalClient(stream), observer=observer) as consumer:
        running = asyncio.create_task(consumer.run(process_at_once))
        for _ in range(20):
            stream.put(50)
            await asyncio.sleep(1)
        assert 0 <= backend.points("behind")["trucks", "shardId-000000000000"] < 1.5
        consumer.stop()
        await running


async def process_at_once(_):
    pass


@pytest.mark.parametrize(
    ("per_shard", "expected"),
    [(True, {("a", "s1"): 2.0, ("b", "s1"): 9.0, ("b", "s2"): 4.0}), (False, {("a", None): 2.0, ("b", None): 9.0})],
)
def test_the_lag_of_several_streams(backend, per_shard, expected):
    observer = OpenTelemetryConsumerObserver(backend.provider, per_shard=per_shard)
    lags = {"1:a:5:s1": 2_000, "1:b:5:s1": 9_000, "1:b:5:s2": 4_000, "1:b:5:s3": None}
    shards = {name: replace(stats_of_other("me"), is_own=True, millis_behind_latest=lag) for name, lag in lags.items()}
    stats = ConsumerStats(worker_id="me", prefetched_bytes=0, shards=shards)
    observer.stats_sampled(ConsumerStatsSampled(stream="a,b", stats=stats, is_last=False))
    assert backend.points("behind") == expected


def test_every_metric_is_recorded_by_the_observer():
    code = inspect.getsource(consumer_observer)
    assert [row.name for row in CONSUMER_METRICS if f'"{row.name.removeprefix(PREFIX)}"' not in code] == []
