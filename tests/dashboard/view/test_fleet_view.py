"""The model of the page: what a browser gets after a record, and how much is kept of a fleet."""

import json
import tracemalloc

import pytest

from tests.dashboard.reports import SHARD, START, changes, make_view, observe, report
from truckstream.dashboard.view.trucks.truck_entry import HISTORY_POINTS, TRAIL_POINTS
from truckstream.dashboard.view.trucks.truck_table import LATEST_GONE
from truckstream.record import FIELDS


def rows(message):
    return {row[0]: row[1:] for row in message["trucks"]["rows"]}


def test_a_snapshot_has_the_source_and_each_truck():
    view = make_view()
    observe(view, report("A", latitude=27.5, longitude=85.25, speed=50.0))
    observe(view, report("B", health_status="WARNING"), key="B")
    message, _ = changes(view)
    assert message["source"]["title"] == "trucks"
    assert sorted(message["trucks"]["ids"]) == [[0, "A"], [1, "B"]]
    assert rows(message)[0] == [27.5, 85.25, 50.0, 0]
    assert rows(message)[1][3] == 1
    assert message["counts"] == {"NORMAL": 1, "WARNING": 1, "URGENT": 0}


def test_a_delta_has_only_the_trucks_that_changed_and_each_once():
    view = make_view()
    observe(view, report("A"))
    observe(view, report("B"), key="B")
    _, version = changes(view)
    for speed in (1.0, 2.0, 3.0):
        observe(view, report("A", speed=speed))
    message, version = changes(view, version)
    assert "source" not in message
    assert message["trucks"]["ids"] == []
    assert {slot: row[2] for slot, row in rows(message).items()} == {0: 3.0}
    message, same = changes(view, version)
    assert (message["trucks"]["rows"], same) == ([], version)


def test_the_counts_follow_a_truck_from_one_health_to_another():
    view = make_view()
    for health in ("NORMAL", "WARNING", "URGENT"):
        observe(view, report(health_status=health))
    assert changes(view)[0]["counts"] == {"NORMAL": 0, "WARNING": 0, "URGENT": 1}


def test_a_trail_has_points_where_the_truck_has_moved_and_begins_anew_after_a_jump():
    view = make_view()
    for step in range(6):
        observe(view, report(latitude=27.0 + step * 0.003))
    assert [point[1] for point in changes(view)[0]["trucks"]["trail"]] == [27.0, 27.006, 27.012]
    observe(view, report(latitude=50.0))
    assert [point[1] for point in changes(view)[0]["trucks"]["trail"]] == [50.0]


def test_a_delta_has_the_trail_points_since_the_last_one():
    view = make_view()
    observe(view, report(latitude=27.0))
    _, version = changes(view)
    for latitude in (27.01, 27.02):
        observe(view, report(latitude=latitude))
    assert [point[1] for point in changes(view, version)[0]["trucks"]["trail"]] == [27.01, 27.02]


def test_a_truck_too_many_displaces_the_one_that_has_been_silent_longest():
    view = make_view(most_trucks=2)
    observe(view, report("A"))
    observe(view, report("B"), key="B")
    observe(view, report("A"))
    _, version = changes(view)
    observe(view, report("C"), key="C")
    message, _ = changes(view, version)
    assert message["trucks"]["gone"] == [1]
    assert message["trucks"]["ids"] == [[2, "C"]]
    assert sum(message["counts"].values()) == 2
    assert changes(view)[0]["totals"]["trucks_left_out"] == 1


def test_a_browser_that_missed_trucks_that_left_gets_a_snapshot():
    view = make_view(most_trucks=1, rules=None)
    observe(view, report("A"))
    _, version = changes(view)
    for number in range(LATEST_GONE + 2):
        observe(view, report(f"T{number}"))
    message, _ = changes(view, version)
    assert "source" in message
    assert len(message["trucks"]["ids"]) == 1


def test_a_reset_gives_each_browser_a_snapshot_without_the_past():
    view = make_view()
    observe(view, report("A"))
    observe(view, b"broken")
    _, version = changes(view)
    view.reset()
    message, _ = changes(view, version)
    assert "source" in message
    assert message["trucks"]["rows"] == []
    assert "rejected" not in message


def test_a_second_adds_a_point_and_the_load_of_each_shard():
    view = make_view(rules=None)
    view.tick(START)
    for tenth in range(50):
        for _ in range(100):
            observe(view, report(), now=START + tenth / 10)
    view.tick(START + 5)
    message, version = changes(view)
    [shard] = message["shards"]
    assert shard[0] == SHARD
    assert shard[1] == pytest.approx(1000)
    assert shard[2] == pytest.approx(1000 * (len(report()) + len("TRUCK_001")))
    assert message["points"][-1][:2] == [int(START) + 4, pytest.approx(1000)]
    view.tick(START + 5.5)
    assert "points" not in changes(view, version)[0]


def test_a_slow_browser_misses_no_second_of_the_last_five():
    view = make_view()
    view.tick(START)
    _, version = changes(view)
    view.tick(START + 3)
    assert [point[0] for point in changes(view, version)[0]["points"]] == [int(START) + each for each in range(3)]


def test_figures_that_are_measured_stay_until_the_next_value():
    view = make_view()
    view.tick(START)
    view.set_lag(2.5)
    view.set_latency(4.0)
    view.traffic.count_throttled(SHARD, 3, START)
    view.traffic.set_shard_lag(SHARD, 2500)
    view.tick(START + 2)
    message, _ = changes(view)
    assert [point[4:] for point in message["points"]] == [[3, 4.0, 2.5], [0, 4.0, 2.5]]
    [shard] = message["shards"]
    assert (shard[3], shard[5]) == (3, 2500)
    view.traffic.keep_shards({"another"})
    assert changes(view)[0]["shards"] == []


def test_alerts_begin_and_end_with_the_reports():
    view = make_view()
    observe(view, report(health_status="URGENT"))
    message, version = changes(view)
    [begun] = message["incidents"]
    assert (begun["truck_id"], begun["rule"], begun["state"]) == ("TRUCK_001", "urgent-health", "begun")
    for second in (10, 80):
        observe(view, report(time=START + second), now=START + second)
    [ended] = changes(view, version)[0]["incidents"]
    assert (ended["id"], ended["state"]) == (begun["id"], "ended")


# --- The page of a truck ------------------------------------------------------------------------------


def test_the_page_of_a_truck_has_22_values_and_its_signals_over_time():
    view = make_view()
    for second in range(3):
        observe(view, report(speed=10.0 + second), now=START + second)
    page = json.loads(view.truck_page("TRUCK_001"))
    assert len(page["fields"]) == len(page["values"]) == len(FIELDS) == 22
    assert page["signals"]["speed"] == [10.0, 11.0, 12.0]
    assert page["times"] == [START, START + 1, START + 2]
    assert page["health"] == [0, 0, 0]
    assert set(page["signals"]) == {field.name for field in FIELDS if field.kind is not str}


def test_the_page_names_the_rules_that_make_a_truck_unhealthy():
    view = make_view()
    observe(view, report(engine_temp=115.0, health_status="URGENT"))
    [rule] = json.loads(view.truck_page("TRUCK_001"))["unhealthy"]
    assert (rule["field"], rule["status"], rule["limit"]) == ("engine_temp", "URGENT", 113.0)


def test_the_page_names_the_rule_that_a_rejected_report_broke():
    view = make_view()
    observe(view, report())
    observe(view, report(engine_temp=500.0))
    page = json.loads(view.truck_page("TRUCK_001"))
    assert page["rejection"]["field"] == "engine_temp"
    assert page["rejection"]["reason"] == "out_of_range"
    assert page["values"]["engine_temp"] != 500.0


def test_the_page_of_an_unknown_truck_is_null():
    assert make_view().truck_page("nobody") == b"null"


# --- Bounds -----------------------------------------------------------------------------------------


def test_history_and_trail_are_bounded():
    view = make_view(rules=None)
    for second in range(HISTORY_POINTS * 2):
        observe(view, report(latitude=20 + second * 0.01), now=START + second)
    page = json.loads(view.truck_page("TRUCK_001"))
    assert len(page["times"]) == HISTORY_POINTS
    assert page["times"][-1] == START + HISTORY_POINTS * 2 - 1
    assert len(changes(view)[0]["trucks"]["trail"]) == TRAIL_POINTS


def test_memory_stays_bounded_whatever_comes():
    """Ten times as many trucks, reasons, incidents and shards as are kept take no more memory than were kept before."""

    def flood(view, start):
        for number in range(start, start + 2_000):
            now = START + number
            key = f"{'T' * 200}{number}"
            view.observe(report(key, health_status="URGENT"), key, f"shard-{number % 700}", now, now)
            view.observe(report(key, **{f"field{number}" * 10: 1}), key, None, now, now)

    view = make_view(most_trucks=50)
    flood(view, 0)
    tracemalloc.start()
    flood(view, 2_000)
    before = tracemalloc.get_traced_memory()[0]
    flood(view, 4_000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 600_000
    assert len(view.trucks) == 50
    assert len(view.delta(None).data) < 200_000
