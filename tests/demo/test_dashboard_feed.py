"""A run on the dashboard: what of the producer and the function it shows, and that its fleet is worth looking at."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from tests.dashboard.reports import START, report
from truckstream.alerts import default_rules
from truckstream.dashboard import FleetView
from truckstream.demo.dashboard_feed import DashboardFeed, demo_source
from truckstream.demo.display import DemoSnapshot
from truckstream.demo.options import DemoOptions
from truckstream.fleet import Fleet
from truckstream.local import LocalKinesis
from truckstream.producer import Producer, RecordsThrottled


def options(tmp_path, **changes):
    usual = {"seconds": 15.0, "shards": 1, "trucks": 200, "rate": None, "invalid": 0.0, "report_file": None, "seed": 1}
    return DemoOptions(**usual | {"out": tmp_path, "time_lapse": 60.0} | changes)


def shown(view):
    view.tick(START)
    view.tick(START + 1)
    return json.loads(view.delta(None).data)


async def test_acknowledged_records_are_shown_with_their_shard(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    view = FleetView(demo_source(options(tmp_path)))
    feed = DashboardFeed(view, lambda: START)
    network = {"region_name": "us-east-1", "observer": feed}
    async with LocalKinesis(stream="trucks") as kinesis:
        async with Producer("trucks", endpoint_url=kinesis.endpoint_url, **network) as producer:
            await producer.put(report("A"), "A")
            await producer.put(b"broken", "A")
        await asyncio.sleep(0)
    message = shown(view)
    assert message["trucks"]["ids"] == [[0, "A"]]
    assert [shard[0] for shard in message["shards"]] == ["shardId-000000000000"]
    assert message["totals"]["records"] == 2
    assert message["rejected"]["reasons"] == [["malformed_json", 1]]
    assert feed.counts() == {2: 1}


async def test_compressed_records_load_their_shard_as_kinesis_records(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    view = FleetView(demo_source(options(tmp_path)))
    feed = DashboardFeed(view, lambda: START)
    network = {"region_name": "us-east-1", "observer": feed, "aggregate": True, "compression": "zstd"}
    async with LocalKinesis(stream="trucks") as kinesis:
        async with Producer("trucks", endpoint_url=kinesis.endpoint_url, **network) as producer:
            await producer.put_many((report(f"T{n}"), f"T{n}") for n in range(500))
            await producer.flush()
            stats = producer.stats
        await asyncio.sleep(0)
    [slots] = [shard.rates._slots for shard in view.traffic._shards.values()]
    [(records, size)] = slots.values()
    assert view.traffic.records == 500
    assert 1 <= round(records, 6) == round(records) < 10
    assert size < stats.acked_bytes / 4


def test_throttles_latency_and_the_records_that_wait_are_shown(tmp_path):
    view = FleetView(demo_source(options(tmp_path)))
    feed = DashboardFeed(view, lambda: START)
    feed.records_throttled(RecordsThrottled(stream="trucks", records=3, shards={"shardId-0": 2, None: 1}))
    stats = type("Stats", (), {"acked": 1_000})()
    feed.show(DemoSnapshot("filling", 1.0, stats, {}, processed=400, invocations=1, objects=1, latency=4.5))
    message = shown(view)
    assert message["points"][-1][4:] == [3, 4.5, 600]
    assert message["shards"][0][3] == 2


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "demo: 200 trucks, 1 shard, 60 times as fast"),
        ({"shards": 2, "time_lapse": 1.0, "trucks": 1_000}, "demo: 1,000 trucks, 2 shards"),
    ],
)
def test_the_title_says_what_runs(tmp_path, changes, title):
    assert demo_source(options(tmp_path, **changes)).title == title


@pytest.mark.parametrize("hour", [0, 6, 12, 18])
def test_the_default_fleet_has_an_alert_within_a_few_seconds(tmp_path, hour):
    """At any time of the day: 5,000 reports are five seconds of a full shard."""
    fleet = Fleet(200, rate=1_000 / 60, seed=1, start=datetime(2026, 11, 29, hour, tzinfo=UTC))
    view = FleetView(demo_source(options(tmp_path)), rules=default_rules())
    for number, each in enumerate(fleet.take(5_000)):
        now = START + number / 1_000
        view.observe(each.data, each.truck_id, "shardId-000000000000", now, now)
    message = shown(view)
    assert message["incidents"]
    trails = [slot for slot, _, _ in message["trucks"]["trail"]]
    assert len(trails) > 2 * len(set(trails)), "the trucks have moved"
