"""The condition for DuckDB selects the records that plain Python selects."""

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.evaluation import matches, written
from tests.search.records import NODES, READINGS, Reading
from truckstream.search.language.duckdb_sql import quote_name, sql_condition
from truckstream.search.language.parser import parse_query

COLUMNS = "name VARCHAR, state VARCHAR, heat DOUBLE, count BIGINT, is_on BOOLEAN"
PLACE = ("kinesis_sequence_number", "kinesis_subsequence_number", "kinesis_shard_id")


@pytest.fixture(scope="module")
def table():
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE records (place BIGINT, {COLUMNS}, {PLACE[0]} VARCHAR, {PLACE[1]} BIGINT, {PLACE[2]} VARCHAR)"
        )
        yield connection


def selected(table, query, readings):
    """The indices of the readings that DuckDB selects."""
    table.execute("DELETE FROM records")
    rows = [[at, *msgspec.structs.astuple(each)[:5], None, None, None] for at, each in enumerate(readings)]
    table.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    condition, values = sql_condition(parse_query(query, Reading))
    return [at for (at,) in table.execute(f"SELECT place FROM records WHERE {condition} ORDER BY 1", values).fetchall()]


@settings(deadline=None, max_examples=200)
@given(node=NODES, readings=st.lists(READINGS, min_size=1, max_size=5))
def test_a_condition_selects_what_the_query_means(table, node, readings):
    expected = [at for at, each in enumerate(readings) if matches(node, msgspec.structs.asdict(each))]
    assert selected(table, written(node), readings) == expected


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("NOT heat:>1", ["cold", "unknown"]),
        ("heat:<0 OR heat:>=0", ["cold", "hot"]),
        ("name:h*", ["hot"]),
        ("name:?o?", ["hot"]),
        ("-is_on:true", ["cold", "unknown"]),
        ("hot", ["hot"]),
        ("GOOD OR cold", ["cold", "hot"]),
        ("count:[1 TO 2}", ["cold"]),
        (r"name:\'\;DROP", []),
    ],
)
def test_an_example_selects_these(table, query, names):
    readings = [
        Reading("cold", "BAD", -1.0, 1, False),
        Reading("hot", "GOOD", 9.5, 2, True),
        Reading("unknown"),
    ]
    assert [readings[at].name for at in selected(table, query, readings)] == names


def test_a_value_is_never_part_of_the_sql():
    condition, values = sql_condition(parse_query('name:"x\' OR 1=1 --"', Reading))
    assert condition == 'coalesce("name" = ?, false)'
    assert values == ["x' OR 1=1 --"]


def test_the_name_of_a_column_is_quoted():
    assert quote_name('a"b') == '"a""b"'
