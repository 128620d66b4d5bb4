"""A replay of stored records, with a clock that the test moves."""

import pytest

from tests.batcher.support import record
from tests.dashboard.reports import START, changes, report
from truckstream.alerts import default_rules
from truckstream.batcher import Batcher
from truckstream.dashboard import FleetView
from truckstream.dashboard.feeds.replay_table import ReplayTable
from truckstream.dashboard.feeds.store_feed import StoreFeed, store_source
from truckstream.dashboard.serving.replay_control import ReplayCommand
from truckstream.errors import ConfigurationError, StoreError


async def store(folder, *reports, **options):
    """Store records of (seconds after START, data)."""
    event = [record(data, n, arrival=START + seconds) for n, (seconds, data) in enumerate(reports)]
    await Batcher(folder.as_uri(), **options).process(event)


def drive(seconds, count, **fields):
    """Reports of one truck, one a second, on its way to the north."""
    return [
        (seconds + n, report("A", START + seconds + n, **{"latitude": 27 + n * 0.01} | fields)) for n in range(count)
    ]


class Replay:
    """A feed, its view, and the time."""

    def __init__(self, folder, **options):
        self.now = 0.0
        self.records = ReplayTable(folder)
        self.view = FleetView(store_source("store"), rules=default_rules())
        self.feed = StoreFeed(self.view, self.records, clock=lambda: self.now, **options)

    async def step(self, seconds=0.0):
        self.now += seconds
        await self.feed._step()
        self.view.tick(self.feed.position())
        return changes(self.view)[0]


@pytest.fixture
def replay():
    replays = []

    def start(folder, **options):
        replays.append(Replay(folder, **options))
        return replays[-1]

    yield start
    for each in replays:
        each.records.close()


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"format": "parquet"}], ids=str)
async def test_records_come_at_their_times(tmp_path, replay, options):
    await store(tmp_path, *drive(0, 60), **options)
    playing = replay(tmp_path, speed=10.0)
    message = await playing.step()
    assert message["trucks"]["rows"][0][1] == 27.0
    message = await playing.step(1.0)
    assert message["trucks"]["rows"][0][1] == pytest.approx(27.1)
    assert message["replay"]["position"] == START + 10
    message = await playing.step(100.0)
    assert message["trucks"]["rows"][0][1] == pytest.approx(27.59)
    assert playing.view.traffic.records == 59  # those after the first, which it begins at


async def test_the_slider_shows_the_way_to_a_place(tmp_path, replay):
    await store(tmp_path, *drive(0, 100))
    playing = replay(tmp_path)
    await playing.step()
    playing.feed.control(ReplayCommand(position=START + 50, paused=True))
    message = await playing.step(5.0)
    assert message["now"] == START + 50
    assert message["trucks"]["rows"][0][1] == pytest.approx(27.5)
    assert len(message["trucks"]["trail"]) > 5
    playing.feed.control(ReplayCommand(position=START + 10))
    message = await playing.step()
    assert message["trucks"]["rows"][0][1] == pytest.approx(27.1)


async def test_rejected_records_and_alerts_are_replayed(tmp_path, replay):
    urgent = (5.0, report("B", START + 5, health_status="URGENT"))
    await store(tmp_path, *drive(0, 10), urgent, (6.0, b"broken"))
    playing = replay(tmp_path, speed=1.0)
    await playing.step()
    message = await playing.step(9.0)
    assert message["rejected"]["reasons"] == [["malformed_json", 1]]
    assert [each["truck_id"] for each in message["incidents"]] == ["B"]
    assert message["source"]["known"] == []


async def test_a_record_without_a_time_has_that_of_its_object(tmp_path, replay):
    await store(tmp_path, (0.0, report("A", timestamp="never")), (1.0, report("A", timestamp="12345")))
    playing = replay(tmp_path)
    assert (playing.records.first, playing.records.last) == (START, START)


async def test_a_store_without_records_is_named(tmp_path):
    with pytest.raises(StoreError, match="NoObjects"):
        ReplayTable(tmp_path)
    await store(tmp_path, (0.0, b"broken"))
    with pytest.raises(ConfigurationError, match="store has no valid records in this time"):
        ReplayTable(tmp_path)


async def test_a_store_with_too_many_records_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("truckstream.dashboard.feeds.replay_table.MOST_RECORDS", 5)
    await store(tmp_path, *drive(0, 6))
    with pytest.raises(ConfigurationError, match=r"more than 5 records in this time\. Choose a shorter time"):
        ReplayTable(tmp_path)


async def test_a_rejected_record_comes_at_the_time_that_it_reports_or_else_at_its_arrival(tmp_path, replay):
    await store(tmp_path, *drive(0, 3), (1.0, report("A", START + 2, engine_temp=500.0)), (1.0, b"broken"))
    playing = replay(tmp_path)
    found = [at for _, _, at in playing.records.rejected_between(START - 1, START + 3)]
    assert found == [START + 1, START + 2]
