"""The Glue tables have the columns of the stored objects, and the named queries run on them.

DuckDB runs the queries here. It has all functions of them but three, which it gets as macros.
"""

import re
from datetime import UTC, datetime, timedelta

import duckdb
import msgspec
import pytest

from tests.batcher.support import record, truck
from tests.cloud.parsed_template import RESOURCES, ROOT, TEMPLATE, TEXT, parsed
from tests.cloud.resolved_template import created, properties_of, references, resolved
from truckstream.batcher import Batcher
from truckstream.cloud.deployment.template.record_table import with_record_table
from truckstream.data.query.questions import athena_sql, questions
from truckstream.record import TruckRecord

#: DuckDB's names of the types of Hive.
KINDS = {"string": "VARCHAR", "double": "DOUBLE", "bigint": "BIGINT"}
#: The resources of the saved queries that are named questions, by their name, and those of the others.
ASKED = {
    resource["Properties"]["Name"]: name
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Athena::NamedQuery"
}
QUESTIONS = {name: ASKED[name] for name in ASKED if name in questions()}
QUERIES = [resource for name, resource in ASKED.items() if name not in QUESTIONS]


def table(name, layout="flat"):
    return properties_of(name, references(Layout=layout, ExistingBucketName="lake"))["TableInput"]


def columns(name):
    return {row["Name"]: row["Type"] for row in table(name)["StorageDescriptor"]["Columns"]}


def sql(name, layout):
    return properties_of(name, references(Layout=layout))["QueryString"]


def test_the_data_table_has_the_records_fields():
    kinds = {"number": "double", "integer": "bigint", "string": "string"}
    schema = msgspec.json.schema(TruckRecord)["$defs"]["TruckRecord"]["properties"]
    wanted = {name: kinds[field.get("type", "string")] for name, field in schema.items()}
    for name, kind in wanted.items():
        line = f"- {{Name: {name}, Type: {kind}}}"
        assert columns("DataTable").get(name) == kind, f"add `{line}` to DataTable in lambda_entry/template.yaml"
    assert columns("DataTable") == wanted
    assert list(columns("DataTable")) == list(TruckRecord.__struct_fields__)


async def test_the_rejected_table_has_the_lines_fields(tmp_path):
    """The bytes of a record are in different fields if they are UTF-8, other bytes, or invalid base64."""
    bad = [record(b"?", 0), record(b"\xff", 1), record(b"", 2, encoded="!")]
    await Batcher(tmp_path.as_uri()).process(bad)
    lines = [line for path in tmp_path.glob("rejected/*") for line in path.read_bytes().splitlines()]
    assert len(lines) == 3
    assert {name for line in lines for name in msgspec.json.decode(line)} == set(columns("RejectedTable"))


# --- Partitions -------------------------------------------------------------------------------------


def projected(found, now):
    """Return the number of partitions that Athena looks at for a query without a filter."""
    count = 1
    for key in (row["Name"] for row in found["PartitionKeys"]):
        kind, bounds = (found["Parameters"][f"projection.{key}.{what}"] for what in ("type", "range"))
        first, last = bounds.split(",")
        if kind == "date":
            assert (found["Parameters"][f"projection.{key}.format"], last) == ("yyyy", "NOW+1DAYS")
            last = (now + timedelta(days=1)).year
        count *= int(last) - int(first) + 1
    return count


def test_a_query_without_a_filter_looks_at_the_hours_of_the_years_with_data():
    """Each partition is a request to S3, at $0.005 for 1,000: nine cents in the second year."""
    found = table("DataTable", "hive")
    assert found["Parameters"]["projection.enabled"] == "true"
    assert [row["Name"] for row in found["PartitionKeys"]] == ["year", "month", "day", "hour"]
    assert projected(found, datetime(2026, 11, 29, tzinfo=UTC)) == 2 * 12 * 31 * 24


def test_flat_objects_and_rejected_records_need_no_partitions():
    """Rejected records are few and expire. Their table has no partitions, so that it has those of both layouts."""
    for found in (table("DataTable"), table("RejectedTable"), table("RejectedTable", "hive")):
        assert found["Parameters"] == {"classification": "json"}
        assert "PartitionKeys" not in found


# --- Named queries ----------------------------------------------------------------------------------

TODAY = datetime(2025, 1, 20, 12, tzinfo=UTC)


async def store(folder, layout, days=0):
    """Store a report twice, another report of that second, an invalid record, as of `days` ago."""
    at = (TODAY - timedelta(days=days)).timestamp()
    time = f"2025-01-{20 - days} 08:00:00"
    reports = [
        truck(1, timestamp=time, speed=60.0),
        truck(1, timestamp=time, speed=60.0),
        truck(1, timestamp=time, latitude=27.0),
        truck(2, timestamp=time, health_status="WARNING"),
        b"?",
    ]
    event = [record(data, 100 * days + n, arrival=at) for n, data in enumerate(reports)]
    assert (await Batcher(folder.as_uri(), layout=layout).process(event)).stored == 4


def connection(folder, layout):
    made = duckdb.connect()
    made.execute("CREATE MACRO date_format(day, form) AS strftime(day, form)")
    made.execute("CREATE MACRO from_unixtime(seconds) AS to_timestamp(seconds)::TIMESTAMP")
    pattern = "year=*/month=*/day=*/hour=*/*.json" if layout == "hive" else "*.json"
    partitions = "hive_partitioning = true, hive_types_autocast = false" if layout == "hive" else ""
    types = ", ".join(f"{name}: '{KINDS[kind]}'" for name, kind in columns("DataTable").items())
    made.execute(
        f"CREATE VIEW sensor_data AS SELECT * FROM read_json('{folder}/sensor_data/{pattern}', "
        f"format = 'newline_delimited', columns = {{{types}}}, {partitions})"
    )
    made.execute(f"CREATE VIEW rejected AS SELECT * FROM read_json('{folder}/rejected/**/*.json')")
    return made


async def answers(folder, layout):
    await store(folder, layout)
    with connection(folder, layout) as made:
        asked = {name: sql(name, layout).replace("current_date", f"DATE '{TODAY:%Y-%m-%d}'") for name in QUERIES}
        return {name: made.execute(text).fetchall() for name, text in asked.items()}


@pytest.mark.parametrize("layout", ["flat", "hive"])
async def test_the_named_queries_answer(tmp_path, layout):
    found = await answers(tmp_path, layout)
    assert [row[:2] for row in found["LatestQuery"]] == [("TRUCK_001", "NORMAL"), ("TRUCK_002", "WARNING")]
    assert [row[2] for row in found["HealthQuery"]] == [3, 1]


@pytest.mark.parametrize("layout", ["flat", "hive"])
async def test_two_reports_of_one_second_are_not_one_report_twice(tmp_path, layout):
    found = (await answers(tmp_path, layout))["TwiceQuery"]
    assert [(row[0], row[-1]) for row in found] == [("TRUCK_001", 2)]


async def test_with_the_hive_layout_the_queries_read_the_objects_of_today(tmp_path):
    """A filter on each partition key with a constant value lets Athena look at 24 partitions."""
    await store(tmp_path, "hive", days=2)
    found = await answers(tmp_path, "hive")
    assert sum(row[2] for row in found["HealthQuery"]) == 4
    for name in set(ASKED.values()) - {"RejectedQuery"}:
        filtered = re.findall(r"\b(year|month|day) = date_format\(current_date, '%[Ymd]'\)", sql(name, "hive"))
        assert filtered == ["year", "month", "day"], name
        assert "WHERE year" not in sql(name, "flat")


# --- Named questions --------------------------------------------------------------------------------

TODAYS = "sensor_data " + TEMPLATE["Mappings"]["Filters"]["hive"]["Today"]


@pytest.mark.parametrize("question", questions().values(), ids=lambda question: question.name)
def test_each_named_question_is_a_saved_query(question):
    """The files in truckstream/data/query/questions are the origin. Copy their texts into the template."""
    resource = QUESTIONS[question.name]
    of_trucks = question.name != "rejected-by-reason"
    assert sql(resource, "flat").strip() == athena_sql(question.sql, "sensor_data " if of_trucks else "")
    assert sql(resource, "hive").strip() == athena_sql(question.sql, TODAYS)
    found = properties_of(resource, references())
    assert found["Description"] == question.description + (" With Layout=hive, of today." if of_trucks else "")
    assert (RESOURCES[resource]["Condition"] == "HasTrucks") is of_trucks


@pytest.mark.parametrize(
    ("values", "count"),
    [({}, 7), ({"Schema": "m:Reading"}, 1), ({"Format": "json"}, 1), ({"CreateCatalog": "false"}, 0)],
)
def test_the_questions_about_trucks_are_there_if_the_records_are_trucks(values, count):
    assert len(set(created(references(**values))) & set(QUESTIONS.values())) == count


def test_the_questions_about_trucks_are_there_for_parquet_and_not_for_other_records():
    """`truckstream deploy` writes the format and the schema into the condition of the table, and they follow it."""
    of_trucks = parsed(with_record_table(TEXT, "truck", "parquet"))["Conditions"]
    of_readings = parsed(with_record_table(TEXT, "m:Reading", "parquet"))["Conditions"]
    for conditions, values, expected in (
        (of_trucks, {"Format": "parquet"}, True),
        (of_readings, {"Format": "parquet", "Schema": "m:Reading"}, False),
    ):
        names = references(**values)
        names["MakeDataTable"] = resolved(conditions["MakeDataTable"], names)
        assert names["MakeDataTable"] is True
        assert resolved(conditions["HasTrucks"], names) is expected


# --- Objects from before the hive layout ------------------------------------------------------------


def test_the_page_creates_a_table_for_the_flat_objects_from_before():
    page = (ROOT / "truckstream" / "cloud" / "README.md").read_text(encoding="utf-8")
    [statement] = [block for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if "CREATE EXTERNAL" in block]
    declared = re.search(r"\((.*?)\)\nROW FORMAT", statement, re.DOTALL)[1]
    pairs = [text.strip().replace("`", "").split() for text in declared.split(",")]
    assert dict(pairs) == columns("DataTable")
    storage = table("DataTable")["StorageDescriptor"]
    assert f"SERDE '{storage['SerdeInfo']['SerializationLibrary']}'" in statement
    assert f"LOCATION '{storage['Location'].replace('lake', 'BUCKET')}'" in statement


async def test_the_tables_together_have_every_record_once(tmp_path):
    """The path of an object tells the layouts apart."""
    await store(tmp_path, "flat", days=2)
    await store(tmp_path, "hive")
    with connection(tmp_path, "hive") as made:
        everywhere = f"read_json('{tmp_path}/sensor_data/**/*.json', filename = true, hive_partitioning = false)"
        [[flat]] = made.execute(f"SELECT count(*) FROM {everywhere} WHERE filename NOT LIKE '%/year=%'").fetchall()
        [[hive]] = made.execute("SELECT count(*) FROM sensor_data").fetchall()
    assert (flat, hive) == (4, 4)
