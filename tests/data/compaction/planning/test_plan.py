"""Plans: each source is in one, also when the hour was planned before."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from truckstream.data.compaction.manifests.manifest import CompactionFolder, Manifest
from truckstream.data.compaction.planning.plan import COMPACTED_SHARE, FilePlan, HourState, Source, plan_hour

HOUR = datetime(2025, 1, 15, 14, tzinfo=UTC)
FOLDER = CompactionFolder("sensor_data")
NOTHING = HourState([], [])


def sources(names, size=100):
    return [Source(f"sensor_data/{name}", size, ".json") for name in names]


def plan(number, names):
    return FilePlan(hour=HOUR, number=number, sources=[each.key for each in sources(names)])


def manifest(of, sources=None):
    held = of.sources if sources is None else sources
    key = of.file_key(FOLDER)
    return Manifest(hour=HOUR, number=of.number, file=key, size=1, sha256="", records=1, sources=held)


def test_a_new_hour_has_one_plan():
    assert plan_hour(HOUR, sources("cab"), NOTHING, 10_000) == [plan(1, "abc")]


def test_an_hour_of_many_bytes_has_several_plans():
    share = COMPACTED_SHARE[".json"]
    assert plan_hour(HOUR, sources("abcde"), NOTHING, int(200 * share)) == [plan(1, "ab"), plan(2, "cd"), plan(3, "e")]


def test_a_source_that_is_larger_than_a_file_has_a_plan_of_its_own():
    assert plan_hour(HOUR, sources("ab"), NOTHING, 1) == [plan(1, "a"), plan(2, "b")]


def test_late_sources_have_the_next_number():
    first = plan(1, "abc")
    assert plan_hour(HOUR, sources("abcd"), HourState([first], [manifest(first)]), 10_000) == [plan(2, "d")]


def test_an_open_plan_keeps_its_sources():
    assert plan_hour(HOUR, sources("abcd"), HourState([plan(1, "ab")], []), 10_000) == [plan(2, "cd")]


def test_a_source_that_was_left_out_of_its_file_is_planned_again():
    first = plan(1, "abc")
    state = HourState([first], [manifest(first, ["sensor_data/a", "sensor_data/c"])])
    assert plan_hour(HOUR, sources("abc"), state, 10_000) == [plan(2, "b")]


def test_a_complete_hour_has_no_new_plan():
    first = plan(1, "abc")
    assert plan_hour(HOUR, sources("abc"), HourState([first], [manifest(first)]), 10_000) == []


def test_plans_without_a_manifest_are_open():
    first, second = plan(1, "a"), plan(2, "b")
    assert HourState([first, second], [manifest(first)]).open_plans == [second]


def test_sources_are_ordered_by_arrival_in_every_layout():
    """The folder of a hive layout may be that of an event, hours before or after the arrival."""
    keys = ["p/year=2025/month=01/day=15/hour=14/batch_2025-01-15T14-10", "p/batch_2025-01-15T14-00"]
    made = plan_hour(HOUR, [Source(key, 1, ".json") for key in keys], NOTHING, 10_000)
    assert made[0].sources == keys[::-1]


@pytest.mark.parametrize("folder", ["sensor_data", ""])
def test_the_keys_of_a_plan_and_its_file(folder):
    made = plan(3, "a")
    path = CompactionFolder(folder).path
    assert made.key(CompactionFolder(folder)) == f"{path}/_plans/2025-01-15T14_00003.json.gz"
    assert made.file_key(CompactionFolder(folder)) == CompactionFolder(folder).file_key(HOUR, made.sources)
