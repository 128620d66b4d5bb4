"""Alerts on a local stream: events in another stream, restarts, several workers, and a reshard."""

import asyncio
import contextlib
import json
from collections import Counter

import aiobotocore.session
import pytest

from tests.alerts.support import record
from tests.commands.support import AWS
from truckstream.alerts import read_rules
from truckstream.alerts.delivery import EventStreamTarget, LineTarget
from truckstream.alerts.running import Alerts
from truckstream.consumer import Consumer
from truckstream.consumer.tables.sqlite_table import SqliteTable
from truckstream.errors import InvalidArgumentError
from truckstream.local import LocalKinesis
from truckstream.producer import Producer

RULES = read_rules("""
[rules.urgent]
kind = "health"
end_hold = "10s"
""")
TRUCKS = [f"TRUCK_{number:03}" for number in range(12)]


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)


class Setup:
    """A stream of trucks, one of alerts, and the options of alerts that go on where others stopped."""

    def __init__(self, kinesis, tmp_path):
        self.network = {"region_name": "us-east-1", "endpoint_url": kinesis.endpoint_url}
        self.tmp_path = tmp_path
        self.lines = []

    def alerts(self, *targets):
        return Alerts(
            "trucks",
            RULES,
            targets or [LineTarget(self.lines.append)],
            application="alerts",
            state=self.tmp_path / "states",
            leases=SqliteTable(self.tmp_path / "leases.sqlite"),
            lease_duration=2.0,
            **self.network,
        )

    async def put(self, seconds, **fields):
        async with Producer("trucks", ordered=True, **self.network) as producer:
            for second in seconds:
                await producer.put_many((record(truck, second, **fields), truck) for truck in TRUCKS)

    async def until(self, count):
        async with asyncio.timeout(30):
            while len(self.lines) < count:  # noqa: ASYNC110 - a target of the program collects them
                await asyncio.sleep(0.05)


@pytest.fixture
async def setup(tmp_path):
    async with LocalKinesis("trucks", shards=2) as kinesis:
        yield Setup(kinesis, tmp_path)


@contextlib.asynccontextmanager
async def kinesis_client(setup):
    session = aiobotocore.session.get_session()
    async with session.create_client("kinesis", **setup.network) as client:
        yield client


def turns(lines):
    return Counter((each.truck_id, each.state) for each in lines)


async def run_until(setup, count, *targets):
    """Run alerts until so many events have come, and stop them."""
    async with setup.alerts(*targets) as alerts:
        running = asyncio.create_task(alerts.run())
        await setup.until(count)
        alerts.stop()
        await running
    return alerts


async def test_incidents_begin_and_end_once_through_a_restart(setup):
    await setup.put([0, 5], health_status="URGENT")
    await run_until(setup, len(TRUCKS))
    await setup.put([10, 15, 20, 25])
    alerts = await run_until(setup, 2 * len(TRUCKS))
    assert turns(setup.lines) == Counter((truck, state) for truck in TRUCKS for state in ("begun", "ended"))
    assert {each.id for each in setup.lines if each.state == "begun"} == {
        each.id for each in setup.lines if each.state == "ended"
    }
    assert alerts.stats.records == 4 * len(TRUCKS)
    assert alerts.stats.invalid == 0


async def test_events_go_to_another_stream_with_the_truck_as_key(setup):
    await setup.put([0], health_status="URGENT")
    found = []
    async with kinesis_client(setup) as client:
        await client.create_stream(StreamName="alarms", ShardCount=1)
    target = EventStreamTarget("alarms", **setup.network)
    async with setup.alerts(target) as alerts, Consumer("alarms", **setup.network) as consumer:
        running = asyncio.create_task(alerts.run())
        async with asyncio.timeout(30):
            async for alarm in consumer.records():
                found.append((alarm.partition_key, json.loads(alarm.data)))
                if len(found) == len(TRUCKS):
                    break
        alerts.stop()
        await running
    assert sorted(key for key, _ in found) == TRUCKS
    assert all(key == event["truck_id"] and event["state"] == "begun" for key, event in found)


async def test_a_target_stream_that_does_not_exist_is_an_error_at_once(setup):
    with pytest.raises(Exception, match="missing"):
        async with setup.alerts(EventStreamTarget("missing", **setup.network)):
            pass


async def test_incidents_outlive_a_split_and_a_merge(setup):
    """Each incident ends once, in the shard that then has its truck, and none begins again."""
    await setup.put([0, 5], health_status="URGENT")
    async with setup.alerts() as alerts:
        running = asyncio.create_task(alerts.run())
        await setup.until(len(TRUCKS))
        await reshard(setup, shards=4)
        await setup.put([10], health_status="URGENT")
        await reshard(setup, shards=2)
        await setup.put([15, 20, 25])
        await setup.until(2 * len(TRUCKS))
        await asyncio.sleep(0.5)
        alerts.stop()
        await running
    assert turns(setup.lines) == Counter((truck, state) for truck in TRUCKS for state in ("begun", "ended"))


async def reshard(setup, shards):
    async with kinesis_client(setup) as client:
        await client.update_shard_count(StreamName="trucks", TargetShardCount=shards, ScalingType="UNIFORM_SCALING")
        await client.get_waiter("stream_exists").wait(StreamName="trucks", WaiterConfig={"Delay": 0.1})


async def test_without_an_application_nothing_is_kept(setup):
    await setup.put([0], health_status="URGENT")
    for count in (len(TRUCKS), 2 * len(TRUCKS)):
        async with Alerts("trucks", RULES, [LineTarget(setup.lines.append)], **setup.network) as alerts:
            running = asyncio.create_task(alerts.run())
            await setup.until(count)
            alerts.stop()
            await running
    assert set(Counter(each.key for each in setup.lines).values()) == {2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": []}, "targets is .*: must be one or more"),
        ({"targets": [LineTarget(print), LineTarget(print)]}, "no two with the same name"),
        ({"state": "x"}, "state is 'x': must go with an application"),
        ({"drain_seconds": -1}, "drain_seconds is -1"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        Alerts("trucks", RULES, **{"targets": [LineTarget(print)], **options})
