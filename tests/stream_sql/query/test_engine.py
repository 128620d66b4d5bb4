"""DuckDB answers for the records of one window, reads only the columns that it needs, and nothing else at all."""

from datetime import datetime

import pytest

from tests.stream_sql.support import BASE, line, shard_record
from truckstream import TruckRecord
from truckstream.errors import InvalidArgumentError
from truckstream.stream_sql.query import engine as engine_module
from truckstream.stream_sql.query.engine import QueryEngine, QueryFailedError
from truckstream.stream_sql.records.columns import ColumnBuilder, columns_of_schema
from truckstream.stream_sql.records.decoding import RecordDecoder
from truckstream.stream_sql.records.event_time import SECOND

MEMORY = 128 * 1024 * 1024
COLUMNS = columns_of_schema(TruckRecord)


@pytest.fixture
def make(request):
    """Return a function that makes an engine, which is closed after the test."""

    def make(sql):
        engine = QueryEngine(sql, COLUMNS, MEMORY)
        request.addfinalizer(engine.close)
        return engine

    return make


def ask(engine, *lines):
    decoded = RecordDecoder(TruckRecord, "timestamp").decode([shard_record(n, data) for n, data in enumerate(lines)])
    batch = ColumnBuilder(TruckRecord, engine.columns_read).build(decoded.values, decoded.records)
    return engine.ask(BASE * SECOND, (BASE + 10) * SECOND, [batch])


WINDOW = (datetime(2025, 1, 15, 8), datetime(2025, 1, 15, 8, 0, 10))  # noqa: DTZ001 - as DuckDB returns it


def test_the_answer_begins_with_the_window(make):
    engine = make("SELECT truck_id, max(speed) AS fastest FROM records GROUP BY truck_id ORDER BY truck_id")
    rows = ask(engine, line(1, "A", speed=50.0), line(2, "A", speed=60.0), line(3, "B", speed=70.0))
    assert engine.columns == ("window_start", "window_end", "truck_id", "fastest")
    assert engine.key == (2,)
    assert rows == [(*WINDOW, "A", 60.0), (*WINDOW, "B", 70.0)]
    assert engine.columns_read == {"truck_id", "speed"}


def test_the_window_is_a_column_of_the_records_too(make):
    engine = make("SELECT date_diff('second', window_start, window_end) AS seconds, window_end, count(*) AS n "
                  "FROM records GROUP BY ALL")  # fmt: skip
    assert engine.columns == ("window_start", "seconds", "window_end", "n")
    assert ask(engine, line(1), line(2)) == [(WINDOW[0], 10, WINDOW[1], 2)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS n FROM records",
        "SELECT 1 AS one",
        "SELECT count(speed) AS n FROM records WHERE engine_rpm > 1",
        "SELECT a.truck_id FROM records AS a JOIN records AS b ON a.speed < b.speed",
        "SELECT records AS whole FROM records",
        "SELECT * FROM records",
        "SELECT * EXCLUDE (truck_id) FROM records QUALIFY row_number() OVER (ORDER BY speed) = 1",
        "WITH slow AS MATERIALIZED (SELECT * FROM records WHERE speed < 60) SELECT avg(fuel_level) AS f FROM slow",
        "SELECT health_status, list(truck_id ORDER BY speed) AS l FROM records GROUP BY 1 HAVING max(brake_temp) > 0",
        """SELECT max(kinesis_sequence_number) AS s, max(kinesis_arrival_time) AS a, any_value(kinesis_shard_id) AS i,
        max(kinesis_subsequence_number) AS sub FROM records""",
    ],
)
def test_columns_that_are_not_built_change_no_answer(make, monkeypatch, sql):
    lines = [line(n, "ABC"[n % 3], speed=50.0 + n) for n in range(9)]
    answer = ask(make(sql), *lines)
    monkeypatch.setattr(QueryEngine, "_columns_read", lambda _, known: frozenset(known))
    engine = make(sql)
    assert len(engine.columns_read) == len(COLUMNS)
    assert sorted(map(str, answer)) == sorted(map(str, ask(engine, *lines)))
    assert answer


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT sped FROM records", 'Referenced column "sped" not found'),
        ("SELECT * FROM record", "Table with name record does not exist"),
        ("SELECT * FROM read_csv('/etc/passwd')", "file system operations are disabled"),
        ("SELECT * FROM '/etc/passwd'", "does not exist"),
        ("SELECT * FROM read_text('http://127.0.0.1/')", "file system operations are disabled"),
        ("SELECT * FROM glob('/*')", "file system operations are disabled"),
        ("SELECT getenv('HOME') AS home", "does not exist"),
        ("SELECT speed, speed FROM records", "a name of its own: speed"),
        ("SELECT $1 AS x", "parameter"),
    ],
)
def test_wrong_sql_is_refused_before_anything_is_read(make, sql, reason):
    with pytest.raises(InvalidArgumentError) as raised:
        make(sql)
    assert reason in raised.value.rule


def test_an_unknown_column_is_shown_with_its_place_and_the_columns_that_exist(make):
    with pytest.raises(InvalidArgumentError) as raised:
        make("SELECT truckid FROM records")
    text = str(raised.value)
    assert "LINE 1: SELECT truckid FROM records\n               ^" in text
    assert "The columns of records are: truck_id VARCHAR, timestamp VARCHAR" in text
    assert "window_start and window_end TIMESTAMP" in text


def test_a_value_that_cannot_be_cast_fails_the_window_with_duckdbs_reason(make):
    engine = make("SELECT max(timestamp::INTEGER) AS t FROM records")
    with pytest.raises(QueryFailedError, match="Could not convert string"):
        ask(engine, line(1))


def test_an_answer_may_not_grow_without_limit(make, monkeypatch):
    monkeypatch.setattr(engine_module, "MAX_ROWS", 2)
    engine = make("SELECT truck_id FROM records")
    assert len(ask(engine, line(1), line(2))) == 2
    with pytest.raises(QueryFailedError, match="more than 2 rows: use GROUP BY, or LIMIT"):
        ask(engine, line(1), line(2), line(3))


def test_duckdbs_memory_is_limited(make):
    engine = make("SELECT len(list(range)) AS n FROM records, range(30000000)")
    with pytest.raises(QueryFailedError, match="more than the 128 MiB that DuckDB may take: take a shorter window"):
        ask(engine, line(1))
