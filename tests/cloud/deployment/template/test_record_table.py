"""The table and the saved queries follow from the schema, and fit the objects that the Batcher stores."""

import json
import re
from dataclasses import make_dataclass
from datetime import datetime
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import duckdb
import msgspec
import pytest

from tests.batcher.support import record
from tests.cloud.parsed_template import TEMPLATE, TEXT, parsed
from truckstream.batcher import Batcher
from truckstream.cloud.deployment.template.record_table import columns_of, fit_table, with_record_table
from truckstream.errors import ConfigurationError
from truckstream.record import TruckRecord


class Reading(msgspec.Struct):
    """A record of three fields."""

    sensor: int
    celsius: float
    place: str


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Everything(msgspec.Struct, rename={"renamed": "otherName"}):
    a_int: int
    a_float: float
    a_bool: bool
    a_str: str
    limited: Annotated[int, msgspec.Meta(ge=0)]
    maybe: float | None
    unset: int | msgspec.UnsetType
    literal: Literal["x", "y"]
    colour: Colour
    level: Level
    time: datetime
    id: UUID
    numbers: list[int]
    inner: Reading
    mapping: dict[str, int]
    union: int | str
    anything: Any
    renamed: int


def table(template):
    return parsed(template)["Resources"]["DataTable"]["Properties"]["TableInput"]


def columns(template):
    return {row["Name"]: row["Type"] for row in table(template)["StorageDescriptor"]["Columns"]}


def fitted(schema="my_schema:Reading", format_="ndjson", layout="flat", loaded=Reading):
    return fit_table(TEXT, schema, format_, layout, lambda _: loaded)


# --- Columns ----------------------------------------------------------------------------------------

#: DuckDB's names of the types.
DUCKDB_TYPES = {"bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "string": "VARCHAR"}


async def test_the_columns_are_those_of_the_parquet_objects(tmp_path):
    """Athena reads a Parquet column only as the type that it has."""
    value = {
        "a_int": 1,
        "a_float": 1.5,
        "a_bool": True,
        "a_str": "s",
        "limited": 1,
        "maybe": None,
        "unset": 3,
        "literal": "x",
        "colour": "red",
        "level": 1,
        "time": "2026-01-01T00:00:00Z",
        "id": str(UUID(int=1)),
        "numbers": [1],
        "inner": {"sensor": 1, "celsius": 1, "place": "p"},
        "mapping": {"a": 1},
        "union": 1,
        "anything": [1],
        "otherName": 1,
    }
    batcher = Batcher(tmp_path.as_uri(), schema=Everything, format="parquet")
    result = await batcher.process([record(json.dumps(value).encode(), 0)])
    assert result.stored == 1, result.refusals
    rows = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{tmp_path}/sensor_data/*')").fetchall()
    stored = {name.lower(): kind for name, kind, *_ in rows}
    written = columns(with_record_table(TEXT, "m:Everything", "parquet", columns_of(Everything)))
    assert {name: DUCKDB_TYPES[kind] for name, kind in written.items()} == stored


def test_the_trucks_columns_are_those_of_the_template():
    """They are written by hand there, so that the template is complete without this module."""
    written = {column.name: column.type for column in columns_of(TruckRecord)}
    assert columns(TEXT) == written
    parquet = columns(fit_table(TEXT, "truck", "parquet", "flat", None))
    assert parquet == written | {"kinesis_sequence_number": "string", "kinesis_subsequence_number": "bigint"}


@pytest.mark.parametrize(
    "schema", [TypedDict("Typed", {"a": int, "b": bool}), make_dataclass("Data", [("a", int), ("b", bool)])]
)
def test_other_types_with_fields_have_columns_too(schema):
    assert [tuple(column) for column in columns_of(schema)] == [("a", "bigint"), ("b", "boolean")]


@pytest.mark.parametrize("schema", [None, dict, list[int], json.loads, msgspec.defstruct("A", ["a"], array_like=True)])
def test_a_schema_without_fields_has_no_columns_and_no_table(schema):
    assert columns_of(schema) is None
    assert fitted(loaded=schema) == TEXT
    with pytest.raises(ConfigurationError, match=r"Schema is 'my_schema:Reading', which has no fields.*Format=ndjson"):
        fitted(format_="parquet", loaded=schema)


@pytest.mark.parametrize(
    ("fields", "layout", "name"),
    [
        (["a.b"], "flat", "a.b"),
        (["speed", "Speed"], "flat", "speed"),
        (["x", "hour"], "hive", "hour"),
        (["1st"], "flat", "1st"),
    ],
)
def test_a_field_that_cannot_be_a_column_is_named(fields, layout, name):
    schema = TypedDict("Odd", dict.fromkeys(fields, int))
    with pytest.raises(ConfigurationError, match=f"Schema has the field '{re.escape(name)}'.*CreateCatalog=false"):
        fitted(layout=layout, loaded=schema)


# --- The template -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("schema", "format_"), [("truck", "ndjson"), ("none", "ndjson"), ("truck", "json")])
def test_without_another_table_the_template_stays_as_it_is(schema, format_):
    assert fitted(schema, format_) == TEXT


@pytest.mark.parametrize("format_", ["ndjson", "parquet"])
def test_only_the_table_its_condition_and_its_queries_change(format_):
    """The rejected records are lines of JSON in any case."""
    changed = parsed(fitted(format_=format_))
    condition = changed["Conditions"].pop("MakeDataTable")["Fn::And"]
    assert condition[1:] == [
        {"Fn::Equals": [{"Ref": "Schema"}, "my_schema:Reading"]},
        {"Fn::Equals": [{"Ref": "Format"}, format_]},
    ]
    names = {"DataTable", "LatestQuery", "HealthQuery", "TwiceQuery"}
    assert {name for name, resource in changed["Resources"].items() if resource != TEMPLATE["Resources"][name]} == names
    del changed["Resources"]
    assert changed == {
        **{name: part for name, part in TEMPLATE.items() if name != "Resources"},
        "Conditions": {name: each for name, each in TEMPLATE["Conditions"].items() if name != "MakeDataTable"},
    }


def test_a_parquet_table_is_read_as_parquet():
    text = json.dumps(table(fitted(format_="parquet")))
    assert text.count("parquet") >= 5
    assert "Json" not in text
    assert 'classification": "json' not in text


# --- Queries ----------------------------------------------------------------------------------------


def queries(template):
    """Return the queries of the table by name, without the named questions, which are there for trucks only."""
    resources = parsed(template)["Resources"].values()
    found = [each for each in resources if each["Type"] == "AWS::Athena::NamedQuery"]
    ours = [each["Properties"] for each in found if each["Condition"] == "MakeDataTable"]
    return {each["Name"]: each["QueryString"] for each in ours}


def without_filter(query):
    """Return the text of a query; the template may filter by hour where the layout is hive."""
    return re.sub(r"\$\{\w+\}", "", query if isinstance(query, str) else query["Fn::Sub"][0])


@pytest.mark.parametrize(("format_", "reader"), [("ndjson", "read_json"), ("parquet", "read_parquet")])
async def test_the_queries_answer_about_the_stored_records(tmp_path, format_, reader):
    """DuckDB runs them; its name for Athena's "$path" is filename."""
    readings = [b'{"sensor":%d,"celsius":%d.5,"place":"roof"}' % (n % 3, n % 3) for n in range(4)]
    batcher = Batcher(tmp_path.as_uri(), schema=Reading, format=format_)
    assert (await batcher.process([record(data, n) for n, data in enumerate(readings)])).stored == 4
    duckdb.sql(f"CREATE OR REPLACE VIEW sensor_data AS FROM {reader}('{tmp_path}/sensor_data/*', filename=true)")
    found = {
        name: duckdb.sql(without_filter(query).replace('"$path"', "filename")).fetchall()
        for name, query in queries(fitted(format_=format_)).items()
    }
    assert len(found.pop("newest-records")) == 4
    assert found == {
        "values-of-each-column": [(4, 0, 2, 0.5, 2.5, 1)],
        "records-that-are-there-twice": [(0, 0.5, "roof", 2)],
    }


def test_a_filter_of_the_template_stays_in_the_queries():
    filtered = re.sub(
        r"(QueryString:) \|\n((?: {8}.*\n)*? {8}.*FROM sensor_data)((?:.*\n)(?: {8}.*\n)*)",
        lambda found: (
            f"{found[1]} !Sub\n        - |\n{found[2].replace(' ' * 8, ' ' * 12)} ${{Today}}"
            f"{found[3].replace(' ' * 8, ' ' * 12)}        - Today: !FindInMap [Filters, !Ref Layout, Today]\n"
        ),
        TEXT,
    )
    assert filtered != TEXT or "${Today}" in TEXT
    changed = queries(with_record_table(filtered, "m:Reading", "ndjson", columns_of(Reading)))
    assert len(changed) == 3
    for query in changed.values():
        sql, values = query["Fn::Sub"]
        assert "FROM sensor_data ${Today}" in sql
        assert "celsius" in sql or "$path" in sql
        assert list(values) == ["Today"]
