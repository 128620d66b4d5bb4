"""Records that a producer has compressed reach every kind of reader: search, windows, SQL, the dashboard and alerts."""

import asyncio
import contextlib
import json
import sqlite3
from contextlib import closing

import pytest

from tests.alerts.support import record as alert_record
from tests.commands.support import AWS, run
from tests.dashboard.reports import changes, report
from tests.search.fake_opensearch import fake_opensearch
from tests.stream_sql.support import line
from truckstream import Batcher, Consumer, Producer
from truckstream.alerts import read_rules
from truckstream.alerts.delivery import LineTarget
from truckstream.alerts.running import Alerts
from truckstream.consumer.tables import MemoryTable
from truckstream.dashboard import FleetView
from truckstream.dashboard.feeds.stream_feed import StreamFeed, stream_source
from truckstream.envelope import is_envelope, read
from truckstream.local import EventSourceMapping, LocalKinesis
from truckstream.search import OpenSearchSink
from truckstream.windows import Count, Mean, SqliteSink, Tumbling, Windowed, WindowPlan

TRUCKS = [f"TRUCK_{number:02}" for number in range(20)]


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in {**AWS, "AWS_DEFAULT_REGION": AWS["AWS_REGION"]}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def kinesis():
    async with LocalKinesis("trucks") as kinesis:
        yield kinesis


def where(kinesis):
    return {"region_name": "us-east-1", "endpoint_url": kinesis.endpoint_url}


async def put(kinesis, *records):
    """Put records, each with its key, and check that the stream has nothing but envelopes."""
    async with Producer("trucks", aggregate=True, compression="zstd", **where(kinesis)) as producer:
        await producer.put_many(records)
    start = {"ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    iterator = (await kinesis.call("GetShardIterator", StreamName="trucks", **start))["ShardIterator"]
    stored = (await kinesis.call("GetRecords", ShardIterator=iterator))["Records"]
    assert stored
    assert all(is_envelope(each["Data"]) for each in stored)
    assert sum(len(read(each["Data"])) for each in stored) == len(records)


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - no reader sets an event
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(reader):
    """Run a reader until the block ends."""
    started = asyncio.ensure_future(reader)
    try:
        yield
    finally:
        started.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await started


async def test_each_record_is_a_document_of_opensearch(kinesis):
    await put(kinesis, *((report(truck), truck) for truck in TRUCKS))
    async with (
        fake_opensearch() as fake,
        OpenSearchSink(fake.url) as sink,
        Consumer("trucks", leases=MemoryTable(), **where(kinesis)) as consumer,
    ):
        async with running(consumer.run(sink.handle)):
            await until(lambda: len(fake.ids()) >= len(TRUCKS))
        assert (sink.stats.written, sink.stats.rejected) == (len(TRUCKS), 0)
        documents = [source for index in fake.indexes.values() for source in index.values()]
    assert {source["truck_id"] for source in documents} == set(TRUCKS)
    assert {source["kinesis_subsequence_number"] for source in documents} == set(range(len(TRUCKS)))


async def test_search_finds_the_records_in_the_stored_objects(kinesis, tmp_path):
    await put(kinesis, *((report(truck), truck) for truck in TRUCKS))
    batcher = Batcher((tmp_path / "store").as_uri())

    async def function(event, _context):
        return (await batcher.process(event["Records"])).batch_item_failures()

    async with EventSourceMapping(kinesis, function, function_name="f") as mapping:
        await mapping.drain(timeout=20)
    words = ("search", "truck_id:TRUCK_0*", "--store", "store", "--format", "json")
    status, out, err = await asyncio.to_thread(run, *words, cwd=tmp_path)
    assert status == 0, err
    assert sorted(each["truck_id"] for each in json.loads(out)) == TRUCKS[:10]


async def test_windows_count_each_record(kinesis, tmp_path):
    """An hour later every window before has ended."""
    reports = [(line(second, truck, speed=second), truck) for truck in TRUCKS for second in range(5)]
    await put(kinesis, *reports, (line(3_600, "last"), "last"))
    plan = WindowPlan(Tumbling(10), key="truck_id", aggregates={"reports": Count(), "speed": Mean("speed")})

    def results():
        if not (tmp_path / "windows.sqlite").exists():
            return []
        with closing(sqlite3.connect("windows.sqlite", timeout=30)) as database:
            return database.execute('SELECT key, "values" FROM windows WHERE key != "last"').fetchall()

    async with Consumer("trucks", application="w", leases=MemoryTable(), **where(kinesis)) as consumer:
        windowed = Windowed(consumer, plan, sink=SqliteSink("windows.sqlite"), state="states")
        async with running(windowed.run()):
            await until(lambda: len(results()) >= len(TRUCKS))
    assert {key: json.loads(values) for key, values in results()} == {
        truck: {"reports": 5, "speed": 2.0} for truck in TRUCKS
    }


async def test_sql_sees_each_record(kinesis, tmp_path):
    reports = [(line(second, truck), truck) for truck in TRUCKS for second in range(5)]
    await put(kinesis, *reports, (line(3_600, "last"), "last"))
    sql = "SELECT count(*) AS n, count(DISTINCT truck_id) AS trucks FROM records"
    stream = ("--stream", "trucks", "--endpoint-url", kinesis.endpoint_url, "--from", "TRIM_HORIZON")
    words = ("sql", sql, *stream, "--window", "10s", "--every", "100ms", "-n", "1", "--json")
    status, out, err = await asyncio.to_thread(run, *words, cwd=tmp_path)
    assert status == 0, err
    [row] = map(json.loads, out.splitlines())
    assert (row["n"], row["trucks"]) == (5 * len(TRUCKS), len(TRUCKS))
    assert "101 records read" in err


async def test_the_dashboard_shows_each_truck(kinesis):
    await put(kinesis, *((report(truck), truck) for truck in TRUCKS), (b"broken", "TRUCK_00"))
    view = FleetView(stream_source("trucks"))
    feed = StreamFeed(view, "trucks", start="TRIM_HORIZON", **where(kinesis))
    async with running(feed.run()):
        await until(lambda: view.traffic.records >= len(TRUCKS) + 1)
    message, _ = changes(view)
    assert message["counts"]["NORMAL"] == len(TRUCKS)
    assert message["rejected"]["reasons"] == [["malformed_json", 1]]
    assert all(view.trucks.get(truck) for truck in TRUCKS)


async def test_alerts_are_raised_for_each_truck(kinesis):
    rules = read_rules('[rules.urgent]\nkind = "health"\n')
    await put(kinesis, *((alert_record(truck, 1, health_status="URGENT"), truck) for truck in TRUCKS))
    lines = []
    options = {"start": "TRIM_HORIZON", "leases": MemoryTable(), **where(kinesis)}
    async with Alerts("trucks", rules, [LineTarget(lines.append)], **options) as alerts, running(alerts.run()):
        await until(lambda: len(lines) >= len(TRUCKS))
    assert {each.truck_id for each in lines} == set(TRUCKS)
