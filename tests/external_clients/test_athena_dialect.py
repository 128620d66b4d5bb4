"""The saved queries of the template in Trino, which Athena's engine is made of: the same answers as DuckDB's.

Trino 435 is the last one that needs no newer Java than 17. Its connector for memory has the tables.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.batcher.support import record, truck
from tests.cloud.parsed_template import RESOURCES
from tests.cloud.resolved_template import properties_of, references
from tests.external_clients.installation import java_with, or_skipped
from truckstream.batcher import Batcher
from truckstream.data.query import open_tables
from truckstream.data.query.questions import questions
from truckstream.fleet import Fleet

TRINO = ("io.trino:trino-main:435", "io.trino:trino-memory:435")
BEGIN = datetime(2025, 1, 15, 8, tzinfo=UTC)
QUERIES = [
    (properties["Name"], layout, properties["QueryString"])
    for layout in ("flat", "hive")
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Athena::NamedQuery"
    for properties in [properties_of(name, references(Layout=layout))]
]
#: The partitions of today, which the queries of the layout "hive" read.
TODAY = ", ".join(
    f"date_format(current_date, '{form}') AS {name}"
    for name, form in {"year": "%Y", "month": "%m", "day": "%d"}.items()
)


def event():
    """Return records of a fleet, each in a second of its own, because any of equally new ones may be the newest."""
    reports = [report.data for report in Fleet(trucks=20, rate=1.0, seed=3, invalid=0.05, start=BEGIN).take(200)]
    time = f"{BEGIN + timedelta(seconds=300):%Y-%m-%d %H:%M:%S}"
    reports.append(truck(77, timestamp=time, miles_since_maintenance=14_900, health_status="WARNING"))
    return [record(data, n, arrival=BEGIN.timestamp() + n + 2) for n, data in enumerate(reports)]


def table(name, folder, resource, more=""):
    """Return the statement that makes a table of the lines of a folder's objects, with their path.

    The lines are one text that Trino splits: it would evaluate the expressions over rows of constants while it plans.
    """
    lines = [
        json.dumps(json.loads(line) | {"path": f"s3://lake/{path.relative_to(folder.parent)}"})
        for path in sorted(folder.rglob("*.json"))
        for line in path.read_text().splitlines()
    ]
    columns = ", ".join(
        f"""CAST(json_extract_scalar(line, '$.{column}') AS {kind.replace("string", "varchar")}) AS "{column}\""""
        for column, kind in columns_of(resource).items()
    )
    text = "\n".join(lines).replace("'", "''")
    return (
        f"""CREATE TABLE {name} AS SELECT {columns}, json_extract_scalar(line, '$.path') AS "$path"{more} """
        f"FROM UNNEST(split('{text}', chr(10))) AS lines (line)"
    )


def columns_of(resource):
    rows = properties_of(resource, references())["TableInput"]["StorageDescriptor"]["Columns"]
    return {row["Name"]: row["Type"] for row in rows}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A store with records of the fleet."""
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def answers(server, lake):
    """Trino's answers as rows of text, by the name of the query and the layout."""
    with or_skipped("Trino"):
        java = java_with(*TRINO)
    result = asyncio.run(Batcher(lake.as_uri()).process(event()))
    assert (result.stored > 150, result.rejected > 3) == (True, True)
    folder = lake / "sql"
    folder.mkdir()
    statements = {
        "sensor_data": table("sensor_data", lake / "sensor_data", "DataTable", f", {TODAY}"),
        "rejected": table("rejected", lake / "rejected", "RejectedTable"),
        **{f"{name} {layout}": text for name, layout, text in QUERIES},
    }
    for name, text in statements.items():
        (folder / name).write_text(text)
    program = server.program("TrinoAnswers.java")
    answer = server.run(*java, program, *(folder / name for name in statements), seconds=200)
    assert answer.status == 0, answer.err[:2_000]
    found = {}
    for line in answer.out.splitlines():
        if line.startswith("\t"):
            found[name].append(line[1:].split("\t"))
        else:
            name = line
            found[name] = []
    return found


@pytest.mark.timeout(500)
@pytest.mark.parametrize("layout", ["flat", "hive"])
def test_every_saved_query_runs(answers, layout):
    names = {name for name, each, _ in QUERIES if each == layout}
    assert {name for name in names if answers[f"{name} {layout}"]} == names - {"reports-that-are-there-twice"}


def as_trino_prints(value):
    if value is None:
        return "null"
    return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03}" if isinstance(value, datetime) else value


@pytest.mark.timeout(500)
@pytest.mark.parametrize("layout", ["flat", "hive"])
@pytest.mark.parametrize("name", questions())
def test_a_named_question_has_the_answer_of_duckdb(answers, lake, name, layout):
    with open_tables(lake) as tables:
        expected = tables.sql(questions()[name].sql).fetchall()
    assert expected
    for row, found in zip(expected, answers[f"{name} {layout}"], strict=True):
        for value, text in zip(map(as_trino_prints, row), found, strict=True):
            if isinstance(value, str):
                assert text.removesuffix(" UTC") == value
            else:
                assert float(text) == pytest.approx(float(value))
