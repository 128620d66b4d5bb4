"""The status page: which objects are listed, and what is shown of AWS's responses."""

from datetime import UTC, datetime, timedelta

from truckstream.cloud.watch.status_page import alarm_states, last_errors, newest_objects, object_listings

NOW = datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC)


def test_the_flat_layout_needs_one_listing_that_starts_at_the_period():
    assert list(object_listings({}, NOW, 60)) == [("sensor_data/", "sensor_data/batch_2025-01-15T13-30-25")]


def test_the_hive_layout_needs_one_listing_for_each_hour_of_the_period():
    variables = {"LAYOUT": "hive", "PREFIX": "data"}
    assert list(object_listings(variables, NOW, 60)) == [
        ("data/year=2025/month=01/day=15/hour=13/", ""),
        ("data/year=2025/month=01/day=15/hour=14/", ""),
    ]


def test_the_newest_five_objects_remain_of_all_pages():
    found = []
    for page in ("abcd", "efg"):
        rows = [{"Key": key, "Size": 1, "LastModified": NOW} for key in page]
        found = newest_objects(found, {"Contents": rows})
    assert "".join(row.key for row in found) == "cdefg"
    assert newest_objects(found, {}) == found


def test_active_alarms_come_first():
    rows = [
        {"AlarmName": name, "StateValue": state}
        for name, state in (("b", "OK"), ("a", "INSUFFICIENT_DATA"), ("c", "ALARM"))
    ]
    assert [alarm.name for alarm in alarm_states({"MetricAlarms": rows})] == ["c", "a", "b"]


def test_the_newest_error_comes_first():
    times = [NOW + timedelta(seconds=seconds) for seconds in range(7)]
    events = [{"timestamp": int(time.timestamp() * 1000), "message": " ERROR\n"} for time in times]
    shown = last_errors({"events": events})
    assert [line.time for line in shown] == times[:1:-1]
    assert {line.message for line in shown} == {"ERROR"}
    assert last_errors(None) == ()
