"""The time in a record decides the folders of its object only near the arrival."""

from datetime import UTC, datetime, timedelta

import obstore.store
import pytest

from tests.batcher.support import ARRIVAL, contents, record, truck
from truckstream.batcher import Batcher
from truckstream.batcher.storing.event_time import EVENT_TIME_WINDOW, read_event_time

ARRIVED = datetime.fromtimestamp(ARRIVAL, UTC)
ARRIVAL_FOLDER = "sensor_data/year=2025/month=01/day=15/hour=14/"


def read(value):
    return read_event_time(b'{"at":"%s"}' % value.encode(), "at", ARRIVED)


@pytest.mark.parametrize(
    "shift", [timedelta(), EVENT_TIME_WINDOW, -EVENT_TIME_WINDOW, timedelta(hours=-23), timedelta(minutes=5)]
)
def test_a_time_within_a_day_of_the_arrival_counts(shift):
    assert read((ARRIVED + shift).isoformat()) == ARRIVED + shift


@pytest.mark.parametrize(
    "value",
    [
        "1970-01-01 00:00:00",
        "2024-01-15 14:30:25",
        "2025-01-16 14:30:26",
        "2025-01-14 14:30:24",
        "9999-12-31",
        "0001-01-01",
    ],
)
def test_a_time_further_away_does_not_count(value):
    assert read(value) is None


@pytest.mark.parametrize(
    ("line", "field"), [(b"[1]", "at"), (b'{"at":true}', "on"), (b'{"at":1e300}', "at"), (b"", "at")]
)
def test_a_line_without_a_time_has_none(line, field):
    assert read_event_time(line, field, ARRIVED) is None


def test_a_number_is_seconds_since_the_epoch():
    assert read_event_time(b'{"at":%d}' % ARRIVAL, "at", ARRIVED) == ARRIVED


async def folders(*times):
    """Return the folders of the objects of a group whose records have these times."""
    store = obstore.store.MemoryStore()
    batcher = Batcher(store, layout="hive", event_time="timestamp")
    event = [record(truck(n, timestamp=time), n) for n, time in enumerate(times)]
    assert (await batcher.process(event)).stored == len(times)
    return {key.rpartition("/")[0] + "/" for key in contents(store)}


async def test_a_truck_whose_clock_says_1970_does_not_hide_the_records_behind_it():
    assert await folders("1970-01-01 00:00:00", *["2025-01-15 14:30:25"] * 699) == {ARRIVAL_FOLDER}


async def test_a_late_record_lies_in_the_hour_of_its_own_time():
    assert await folders("2025-01-15 11:59:59") == {"sensor_data/year=2025/month=01/day=15/hour=11/"}
