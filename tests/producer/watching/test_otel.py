"""The producer's metrics, read back through OpenTelemetry's SDK."""

import asyncio
import builtins
import importlib
import sys

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.producer.shell import KEY, Client, on_virtual_time, request_error
from tests.producer.support import even_shards, throttled
from truckstream.kinesis.failures import FailureKind
from truckstream.metrics import PRODUCER_METRICS
from truckstream.otel import OpenTelemetryObserver, series
from truckstream.producer import Producer, RecordsAcknowledged, RecordsFailed

SHARDS = ("shardId-000000000000", "shardId-000000000001")


class Backend:
    """A meter provider, and the metrics of its reader."""

    def __init__(self):
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)

    def metrics(self):
        data = self._reader.get_metrics_data()
        return {
            metric.name.removeprefix("truckstream.producer."): metric
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name):
        """The value, or a histogram's count, by the attributes without the stream's name."""
        metric = self.metrics().get(name)
        return {
            tuple(value for key, value in sorted(point.attributes.items()) if key != "aws.kinesis.stream_name"): (
                point.count if hasattr(point, "count") else point.value
            )
            for point in (metric.data.data_points if metric else ())
        }

    def total(self, name):
        return sum(self.points(name).values())


@pytest.fixture
def backend():
    backend = Backend()
    yield backend
    backend.provider.shutdown()


def named(client, name="trucks"):
    client.stream_name = name
    return client


@on_virtual_time
async def test_counters_agree_with_the_statistics(backend):
    client = named(Client(shards=2))
    client.script = [
        lambda records: [throttled(), *map(client.service.store, records[1:])],
        None,
        request_error("ReadTimeout", FailureKind.AMBIGUOUS),
        *(None, None),  # each shard's records go again by themselves
        request_error("AccessDeniedException"),
    ]
    producer = Producer(client, observer=OpenTelemetryObserver(backend.provider))
    await producer.open()
    for _ in range(4):
        await producer.put_many((b"x", f"TRUCK_{index}") for index in range(100))
        await asyncio.sleep(3.0)
    await producer.close()
    stats = producer.stats
    assert {shard: backend.points("records.acknowledged")[shard,] for shard in SHARDS} == {
        shard: stats.shards[shard].acked for shard in SHARDS
    }
    for name, value in (
        ("records.acknowledged", stats.acked),
        ("bytes.acknowledged", stats.acked_bytes),
        ("records.sent", stats.sent),
        ("records.throttled", stats.throttled),
        ("requests.sent", stats.requests),
        ("request.records", stats.requests),
        ("request.duration", stats.requests),
        ("map.refreshes", 1),
        ("requests.failed", 2),
    ):
        assert backend.total(name) == value > 0, name
    assert backend.points("records.failed") == {("AccessDeniedException",): stats.failed}
    assert backend.points("requests.failed") == {("AccessDeniedException",): 1, ("ReadTimeout",): 1}
    assert backend.total("records.retried") == 101
    assert backend.total("records.doubtful") == 100


@on_virtual_time
async def test_records_in_flight_are_counted_and_gone_after_the_end(backend):
    client = named(Client())
    client.latency = 2.0
    observer = OpenTelemetryObserver(backend.provider)
    async with Producer(client, observer=observer, linger=0.0) as producer, Producer(client, observer=observer) as two:
        for each in (producer, two):
            await each.put_many([(b"x", KEY)] * 7)
        await asyncio.sleep(1.5)
        assert backend.points("records.in_flight") == {(SHARDS[0],): 14}
        assert backend.points("buffer.used") == {(): producer.stats.buffered_bytes * 2}
        assert backend.points("requests.in_flight") == {(): 2}
        assert backend.points("shard.pace") == {(SHARDS[0],): 2_000}
    for name in ("records.in_flight", "records.buffered", "buffer.used", "requests.in_flight", "shard.pace"):
        assert backend.total(name) == 0


@on_virtual_time
async def test_the_instruments_are_those_of_the_table(backend):
    client = named(Client())
    client.script = [
        lambda records: [throttled() for _ in records],
        request_error("ReadTimeout", FailureKind.AMBIGUOUS),
        None,
        request_error("AccessDeniedException"),
    ]
    producer = Producer(client, observer=OpenTelemetryObserver(backend.provider), linger=1.0)
    await producer.open()
    for _ in range(2):
        await producer.put(b"x", KEY)
        await asyncio.sleep(5.5)
    client.latency = 2.0
    await producer.put(b"x", KEY)
    await asyncio.sleep(2.5)
    await producer.close()
    metrics = backend.metrics()
    for row in PRODUCER_METRICS:
        metric = metrics[row.name.removeprefix("truckstream.producer.")]
        assert (metric.name, metric.unit, metric.description) == (row.name, row.unit, row.meaning)
        assert type(metric.data).__name__ == ("Histogram" if row.kind == "histogram" else "Sum")
        for point in metric.data.data_points:
            assert tuple(sorted(point.attributes)) == tuple(sorted(row.attributes))
            assert point.attributes["aws.kinesis.stream_name"] == "trucks"
            assert tuple(getattr(point, "explicit_bounds", ())) == row.buckets
    assert len(metrics) == len(PRODUCER_METRICS)


@on_virtual_time
async def test_without_shards_there_are_as_many_series_as_streams(backend):
    observer = OpenTelemetryObserver(backend.provider, per_shard=False)
    async with Producer(named(Client(shards=2)), observer=observer) as producer:
        await producer.put_many((b"x", f"TRUCK_{index}") for index in range(100))
        await producer.flush()
        await asyncio.sleep(1.0)
        assert backend.points("records.acknowledged") == {(): 100}
        assert backend.points("shard.pace") == {(): 2_000}


@on_virtual_time
async def test_a_stream_whose_shards_may_not_be_listed_has_one_that_is_unknown(backend):
    client = named(Client())
    client.listed = request_error("AccessDeniedException")
    async with Producer(client, observer=OpenTelemetryObserver(backend.provider)) as producer:
        await producer.put(b"x", KEY)
    assert backend.points("records.acknowledged") == {("unknown",): 1}
    assert backend.points("shard.pace") == {}


def test_series_are_bounded_however_many_shards_and_codes_there_are(backend, monkeypatch):
    monkeypatch.setattr(series, "MAX_VALUES", 3)
    observer = OpenTelemetryObserver(backend.provider)
    for shard in even_shards(10):
        observer.records_acknowledged(
            RecordsAcknowledged(
                stream="trucks",
                records=1,
                shards={shard.shard_id: 1},
                bytes=1,
                maybe_duplicates=0,
                seconds=0.1,
                oldest_seconds=0.2,
                deliveries=(),
            )
        )
    observer.records_failed(
        RecordsFailed(stream="trucks", records=5, shards={}, codes={str(code): 1 for code in range(5)}, deliveries=())
    )
    acknowledged, failed = backend.points("records.acknowledged"), backend.points("records.failed")
    assert (len(acknowledged), acknowledged["_OTHER",], sum(acknowledged.values())) == (4, 7, 10)
    assert (len(failed), failed["_OTHER",]) == (4, 2)


@on_virtual_time
async def test_without_a_provider_nothing_is_recorded_and_nothing_breaks():
    async with Producer(Client(), observer=OpenTelemetryObserver()) as producer:
        assert await (await producer.put(b"x", KEY))


def test_without_opentelemetry_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **more):
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **more)

    for module in [name for name in sys.modules if name.startswith("truckstream.otel")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'truckstream\[otel\]'"):
        importlib.import_module("truckstream.otel")
