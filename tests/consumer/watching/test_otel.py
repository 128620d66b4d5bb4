"""The consumer's metrics, read back through OpenTelemetry's SDK."""

import asyncio
import inspect
import random

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.consumer.local_client import LocalClient, LocalStream
from tests.consumer.support import on_virtual_time
from truckstream.consumer import AggregateBroken, Consumer
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
    assert totals[PREFIX + "reads"] == totals[PREFIX + "read.duration"] == totals[PREFIX + "behind"]
    assert totals[PREFIX + "reads.failed"] > 0
    assert totals[PREFIX + "leases.taken"] == 2


def test_every_metric_is_recorded_by_the_observer():
    code = inspect.getsource(consumer_observer)
    assert [row.name for row in CONSUMER_METRICS if f'"{row.name.removeprefix(PREFIX)}"' not in code] == []
