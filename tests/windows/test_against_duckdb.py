"""The answers of windows are those of DuckDB to the same records, in any order within the disorder and beyond."""

import functools
import math
from collections import defaultdict

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.windows.support import T0, MemorySink, record, windows_of
from truckstream.windows import Count, CountBy, Max, Mean, Min, Percentiles, Session, Sliding, Sum, Tumbling

AGGREGATES = {
    "records": Count(),
    "speeds": Count("speed"),
    "total": Sum("speed"),
    "mean": Mean("speed"),
    "low": Min("speed"),
    "high": Max("speed"),
    "health": CountBy("health_status"),
}
COLUMNS = """count(*), count(speed), sum(speed), avg(speed), min(speed), max(speed),
    count(*) FILTER (health = 'NORMAL'), count(*) FILTER (health = 'URGENT')"""
FIXED = f"""
SELECT truck, w.start, w.start + {{size}} AS stop, {COLUMNS}
FROM records,
    unnest(range((floor((time - {{size}}) / {{step}})::BIGINT + 1) * {{step}}, time + 1, {{step}})) AS w(start)
GROUP BY truck, w.start ORDER BY truck, w.start
"""
SESSIONS = f"""
WITH begun AS (
    SELECT *, time - lag(time, 1, -1000000) OVER (PARTITION BY truck ORDER BY time) >= {{gap}} AS is_first FROM records
), numbered AS (
    SELECT *, sum(is_first::INT) OVER (PARTITION BY truck ORDER BY time ROWS UNBOUNDED PRECEDING) AS number FROM begun
)
SELECT truck, min(time) AS start, max(time) + {{gap}} AS stop, {COLUMNS}
FROM numbered GROUP BY truck, number ORDER BY truck, start
"""
CASES = [
    (Tumbling(10), FIXED.format(size=10_000, step=10_000)),
    (Sliding(12, 4), FIXED.format(size=12_000, step=4_000)),
    (Session(5), SESSIONS.format(gap=5_000)),
]

#: Milliseconds after T0, truck, speed, health; and how late it is read: most in time, some late, few much too late.
speeds = st.one_of(st.none(), st.just(0.0), st.integers(-1_000, 1_000).map(lambda each: each / 10))
rows = st.lists(
    st.tuples(
        st.integers(0, 240).map(lambda each: each * 250),  # often the same, on a boundary, or a gap apart
        st.sampled_from("abc"),
        speeds,
        st.sampled_from(["NORMAL", "URGENT"]),
        st.one_of(st.integers(0, 4_000), st.integers(0, 25_000)),
    ),
    min_size=1,
    max_size=60,
)


def answer_of(sql, records):
    database = connection()
    database.execute("CREATE OR REPLACE TABLE records (time BIGINT, truck TEXT, speed DOUBLE, health TEXT)")
    if records:
        columns = [list(column) for column in list(zip(*records, strict=True))[:4]]
        database.execute("INSERT INTO records SELECT unnest($1), unnest($2), unnest($3), unnest($4)", columns)
    return database.execute(sql).fetchall()


@functools.cache
def connection():
    database = duckdb.connect()
    database.execute("SET threads = 1")
    return database


def row_of(result):
    values, health = result.values, result.values["health"]
    start, end = (round(1_000 * (time.timestamp() - T0)) for time in (result.start, result.end))
    numbers = [values[name] for name in ("records", "speeds", "total", "mean", "low", "high")]
    return (result.key, start, end, *numbers, health.get("NORMAL", 0), health.get("URGENT", 0))


def close_to(ours, theirs):
    """Whether all columns are equal, sum and mean up to rounding."""
    if len(ours) != len(theirs):
        return False
    for mine, other in zip(ours, theirs, strict=True):
        if mine[:5] + mine[7:] != other[:5] + other[7:]:
            return False
        for ourselves, oracle in ((mine[5], other[5]), (mine[6], other[6])):
            if (ourselves is None) != (oracle is None):
                return False
            if ourselves is not None and not math.isclose(ourselves, oracle, rel_tol=1e-9, abs_tol=1e-9):
                return False
    return True


def all_results(window, shards, **options):
    """Read the records of several shards, one after the other, to the end."""
    sink = MemorySink()
    for shard, records in shards.items():
        windows = windows_of(window, shard, aggregates=AGGREGATES, **options)
        for start in range(0, len(records), 7):
            windows.add(records[start : start + 7], T0)
            sink.write(windows.take_results(T0))
        windows.add([record(1_000, "z")], T0)
        sink.write(windows.take_results(T0))
    return [result for result in sink.rows if result.key != "z"]


@pytest.mark.parametrize(("window", "sql"), CASES, ids=lambda each: type(each).__name__)
@settings(max_examples=50, deadline=None)
@given(rows=rows)
def test_answers_are_equal(window, sql, rows):
    """Each truck is in one shard; `allowed_lateness` covers the latest record, so that none is dropped."""
    order = sorted(rows, key=lambda each: each[0] + each[4])
    shards = defaultdict(list)
    for time, truck, speed, health, _ in order:
        shards["ab" if truck in "ab" else "c"].append(record(time / 1_000, truck, speed, health_status=health))
    results = all_results(window, shards, allowed_lateness=20)
    assert close_to([row_of(result) for result in results], answer_of(sql, rows))


@pytest.mark.parametrize(("window", "sql"), CASES[:1], ids=lambda each: type(each).__name__)
@settings(max_examples=50, deadline=None)
@given(rows=rows)
def test_what_is_dropped_is_what_came_too_late(window, sql, rows):
    """Without corrections the answer is that to the records whose windows were open when they came."""
    order = sorted(rows, key=lambda each: each[0] + each[4])
    greatest, in_time = -math.inf, []
    for each in order:
        greatest = max(greatest, each[0])
        if each[0] // 10_000 * 10_000 + 10_000 > greatest - 5_000:
            in_time.append(each)
    records = [record(time / 1_000, truck, speed, health_status=health) for time, truck, speed, health, _ in order]
    windows = windows_of(window, aggregates=AGGREGATES, allowed_lateness=0)
    windows.add(records, T0)
    assert windows.dropped.total() == len(rows) - len(in_time)
    results = all_results(window, {"one": records}, allowed_lateness=0)
    assert close_to([row_of(result) for result in results], answer_of(sql, in_time))


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6, allow_nan=False).filter(lambda each: abs(each) > 1e-6 or not each), min_size=1)
)
def test_percentiles_are_within_the_accuracy_of_a_value_with_that_rank(values):
    sketch = Percentiles("speed", (0, 25, 50, 90, 100)).new()
    sketch.add(values)
    ordered = sorted(values)
    for name, found in sketch.value().items():
        rank = float(name[1:]) / 100 * (len(values) - 1)
        low, high = ordered[math.floor(rank)], ordered[math.ceil(rank)]
        assert low - abs(low) * 0.0101 <= found <= high + abs(high) * 0.0101
