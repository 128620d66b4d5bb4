"""Each named question has the right answer in DuckDB, and its text for Athena means the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlglot

from tests.batcher.support import record, truck
from truckstream.batcher import Batcher
from truckstream.data.query import open_tables, query
from truckstream.data.query.questions import athena_sql, questions
from truckstream.fleet import Fleet

BEGIN = datetime(2025, 1, 15, 8, tzinfo=UTC)


async def store(folder, *reports, format_="ndjson", **options):
    """Store reports of (truck, minutes after `BEGIN`, fields), which arrive 3 s later."""
    event = []
    for n, (number, minutes, fields) in enumerate(reports):
        time = BEGIN + timedelta(minutes=minutes)
        data = truck(number, timestamp=f"{time:%Y-%m-%d %H:%M:%S}", **fields)
        event.append(record(data, n, arrival=time.timestamp() + 3))
    await Batcher(folder.as_uri(), format=format_, batch_size=1, **options).process(event)


def rows(name, folder):
    return query(questions()[name].sql, folder).fetchall()


async def test_fleet_health(tmp_path):
    await store(
        tmp_path,
        (1, 0, {"health_status": "URGENT"}),
        (1, 5, {"health_status": "NORMAL"}),
        (2, 1, {"health_status": "NORMAL"}),
        (3, 2, {"health_status": "WARNING"}),
        (4, 2, {"health_status": "URGENT"}),
    )
    assert rows("fleet-health", tmp_path) == [
        ("URGENT", 1, 25.0, "2025-01-15 08:02:00", "TRUCK_004", "2025-01-15 08:02:00"),
        ("WARNING", 1, 25.0, "2025-01-15 08:02:00", "TRUCK_003", "2025-01-15 08:02:00"),
        ("NORMAL", 2, 50.0, "2025-01-15 08:01:00", "TRUCK_002", "2025-01-15 08:05:00"),
    ]


async def test_maintenance_due(tmp_path):
    await store(
        tmp_path,
        (1, 0, {"miles_since_maintenance": 15_900}),
        (1, 5, {"miles_since_maintenance": 10}),  # maintained in between
        (2, 0, {"miles_since_maintenance": 14_400}),
        (3, 0, {"miles_since_maintenance": 15_200}),
        (4, 0, {"miles_since_maintenance": 13_000}),
    )
    found = rows("maintenance-due", tmp_path)
    assert [row[:3] for row in found] == [("TRUCK_003", 15_200, -200), ("TRUCK_002", 14_400, 600)]


async def test_hottest_brakes(tmp_path):
    await store(
        tmp_path,
        (1, 0, {"brake_temp": 150.0}),
        (1, 1, {"brake_temp": 210.0, "speed": 12.0}),
        (1, 2, {"brake_temp": 171.0}),
        (2, 0, {"brake_temp": 90.0, "speed": 50.0}),
    )
    assert rows("hottest-brakes", tmp_path) == [
        ("TRUCK_001", 210.0, "2025-01-15 08:01:00", 12.0, 66.7),
        ("TRUCK_002", 90.0, "2025-01-15 08:00:00", 50.0, 0.0),
    ]


async def test_fuel_per_distance(tmp_path):
    await store(
        tmp_path,
        (1, 0, {"fuel_consumption_rate": 8.0, "speed": 60.0}),
        (1, 1, {"fuel_consumption_rate": 2.0, "speed": 20.0}),
        (2, 0, {"fuel_consumption_rate": 9.0, "speed": 60.0}),
        (3, 0, {"fuel_consumption_rate": 1.0, "speed": 0.0}),  # stands
    )
    assert rows("fuel-per-distance", tmp_path) == [
        ("TRUCK_002", 15.0, 9.0, 60.0, 1),
        ("TRUCK_001", 12.5, 5.0, 40.0, 2),
    ]


async def test_worst_tyres(tmp_path):
    await store(
        tmp_path,
        (1, 0, {"tire_pressure_rl": 33.0}),
        (1, 1, {"tire_pressure_rl": 29.5}),
        (2, 0, {"tire_pressure_fr": 28.5}),
        (2, 1, {"tire_pressure_fr": 34.0}),  # pumped up
    )
    found = rows("worst-tyres", tmp_path)
    assert found[0] == ("TRUCK_001", "rear left", 29.5, 3.5, "2025-01-15 08:01:00")
    assert ("TRUCK_002", "front right", 34.0, 0.0, "2025-01-15 08:01:00") in found
    assert len(found) == 8


async def test_rejected_by_reason(tmp_path):
    bad = [truck(1, speed=200), truck(2, speed=300), b"?"]
    event = [record(data, n, arrival=BEGIN.timestamp() + n) for n, data in enumerate(bad)]
    await Batcher(tmp_path.as_uri()).process(event)
    at = [datetime(2025, 1, 15, 8, 0, n) for n in range(3)]  # noqa: DTZ001
    assert rows("rejected-by-reason", tmp_path) == [
        ("out_of_range", "speed", 2, at[0], at[1]),
        ("malformed_json", None, 1, at[2], at[2]),
    ]


@pytest.mark.parametrize("fields", [{}, {"add_stream_fields": True}])
async def test_volume_and_lag(tmp_path, fields):
    await store(tmp_path, (1, 0, {}), (2, 0, {}), (1, 0.5, {}), (1, 1, {}), **fields)
    minutes = [datetime(2025, 1, 15, 8, n) for n in range(2)]  # noqa: DTZ001
    assert rows("volume-and-lag", tmp_path) == [(minutes[0], 3, 2, 3.0, 3), (minutes[1], 1, 1, 3.0, 3)]


async def test_a_report_without_a_time_fails_no_question(tmp_path):
    await Batcher(tmp_path.as_uri()).process([record(truck(1, timestamp="never"), 1)])
    for name in questions():
        rows(name, tmp_path)


def test_each_question_is_described():
    assert len(questions()) == 7
    for question in questions().values():
        assert question.description.endswith(".")
        assert not question.sql.startswith("--")


# --- Athena -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", questions())
def test_athena_has_the_syntax(name):
    (statement,) = sqlglot.parse(athena_sql(questions()[name].sql), read="athena")
    assert isinstance(statement, sqlglot.exp.Query)


@pytest.mark.parametrize("name", questions())
async def test_the_text_for_athena_has_the_same_answer(name, tmp_path):
    """DuckDB runs it on a table as Athena has it, with a function of Athena that no question for DuckDB calls."""
    reports = Fleet(trucks=50, rate=100.0, seed=3, invalid=0.02, start=BEGIN).take(2_100)
    event = [record(report.data, n, arrival=BEGIN.timestamp() + n / 100) for n, report in enumerate(reports)]
    await Batcher(tmp_path.as_uri()).process(event)
    with open_tables(tmp_path) as tables:
        tables.execute("""CREATE VIEW sensor_data AS SELECT *, 's3://bucket/' || object_key AS "$path" FROM records""")
        tables.execute("CREATE MACRO date_parse(moment, _) AS strptime(moment, '%Y-%m-%dT%H-%M-%S')")
        tables.execute("SET threads = 1")  # of several hottest moments any may be the answer
        expected = tables.sql(questions()[name].sql).fetchall()
        assert tables.sql(athena_sql(questions()[name].sql)).fetchall() == expected
        assert expected or name == "maintenance-due"


def test_the_filter_of_a_day_stands_where_it_may():
    """The template puts WHERE after the table's name."""
    for question in questions().values():
        text = athena_sql(question.sql, "sensor_data WHERE year = '2025'")
        assert sqlglot.parse_one(text, read="athena")
        assert ("WHERE year" in text) == ("FROM records" in question.sql)
