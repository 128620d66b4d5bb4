"""A query must be one SELECT, and the columns that identify its rows follow from its GROUP BY."""

import duckdb
import pytest

from truckstream.errors import InvalidArgumentError
from truckstream.stream_sql.query.statement import key_places, parse_select


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as database:
        yield database


def parse(database, sql):
    return parse_select(sql, database.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()[0])


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1; SELECT 2", "must be one SELECT, and has 2 statements"),
        ("", "must be one SELECT, and has 0 statements"),
        ("INSERT INTO records VALUES (1)", "must be one SELECT: other statements"),
        ("COPY records TO 'file'", "must be one SELECT: other statements"),
        ("WITH gone AS (DELETE FROM records RETURNING *) SELECT * FROM gone", "must change nothing"),
        ("WITH more AS (INSERT INTO records VALUES (1) RETURNING *) SELECT * FROM more", "must change nothing"),
    ],
)
def test_anything_but_one_select_is_refused(database, sql, reason):
    with pytest.raises(InvalidArgumentError, match="sql") as raised:
        parse(database, sql)
    assert reason in str(raised.value)


def test_a_syntax_error_shows_the_line_and_the_place(database):
    with pytest.raises(InvalidArgumentError) as raised:
        parse(database, "SELECT truck_id,\n  avg(speed FROM records")
    assert (
        raised.value.rule == 'syntax error at or near "FROM"\nLINE 2:   avg(speed FROM records\n                    ^'
    )


AGGREGATES = {"avg", "count", "count_star", "max", "sum"}


@pytest.mark.parametrize(
    ("sql", "names", "key"),
    [
        ("SELECT truck_id, avg(speed) FROM records GROUP BY truck_id", ["truck_id", "avg"], (0,)),
        ("SELECT avg(speed), TRUCK_ID AS t FROM records GROUP BY truck_id", ["avg", "t"], None),
        ("SELECT avg(speed), truck_id AS t FROM records GROUP BY truck_id", ["avg", "t"], (1,)),
        ("SELECT truck_id AS t, avg(speed) FROM records GROUP BY t", ["t", "avg"], (0,)),
        ("SELECT truck_id, avg(speed) FROM records GROUP BY 1", ["truck_id", "avg"], (0,)),
        ("SELECT count(*), a, upper(b) FROM records GROUP BY ALL", ["n", "a", "b"], (1, 2)),
        ("SELECT upper(b) AS u, count(*) AS n FROM records GROUP BY upper(b)", ["u", "n"], (0,)),
        ("SELECT max(speed) + 1 AS m, count(*) AS n FROM records", ["m", "n"], ()),
        ("SELECT avg(speed) FROM records GROUP BY truck_id", ["avg"], None),
        ("SELECT truck_id, speed FROM records WHERE speed > 100", ["truck_id", "speed"], None),
        ("SELECT * FROM records", ["truck_id", "speed"], None),
        ("SELECT a, count(*) AS n FROM records GROUP BY ROLLUP (a)", ["a", "n"], None),
        ("SELECT a FROM records UNION SELECT b FROM records", ["a"], None),
        ("WITH x AS (SELECT * FROM records) SELECT a, max(b) AS m FROM x GROUP BY a", ["a", "m"], (0,)),
    ],
)
def test_the_columns_of_group_by_identify_a_row(database, sql, names, key):
    assert key_places(parse(database, sql), names, AGGREGATES) == key
