"""The table and the saved queries of the stored records, written into the template for the deployed schema and format.

The template has those of the truck's record as lines of JSON, and creates them for this schema and format only. For
others, this module rewrites the text of `DataTable` and of its queries, and the condition that creates them.

| the field's type | its column |
|---|---|
| int | bigint |
| float | double |
| bool | boolean |
| any other | string: the value's text, or its JSON |

A Parquet object has the same columns (`truckstream/batcher/formats/parquet.py`), and two that identify the Kinesis
record.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import inspect

from truckstream.column_types import choose_by_type, column_fields
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["TableColumn", "columns_of", "fit_table", "with_record_table"]


class TableColumn(NamedTuple):
    """A column of the table."""

    name: str
    type: str


_TYPES: Final[dict[type[inspect.Type], str]] = {
    inspect.IntType: "bigint",
    inspect.FloatType: "double",
    inspect.BoolType: "boolean",
}

#: Of Parquet objects.
_KINESIS_COLUMNS: Final = (
    TableColumn("kinesis_sequence_number", "string"),
    TableColumn("kinesis_subsequence_number", "bigint"),
)

#: Of the layout "hive". A table cannot have a column of the same name.
_PARTITIONS: Final = ("year", "month", "day", "hour")

_PARQUET: Final = "org.apache.hadoop.hive.ql.io.parquet"
#: The table's properties for lines of JSON, as the template has them, and for Parquet.
_PARQUET_PROPERTIES: Final = {
    "classification: json": "classification: parquet",
    "org.apache.hadoop.mapred.TextInputFormat": f"{_PARQUET}.MapredParquetInputFormat",
    "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
    "org.openx.data.jsonserde.JsonSerDe": f"{_PARQUET}.serde.ParquetHiveSerDe",
}


def fit_table(template: str, schema: str, format_: str, layout: str, load: Callable[[str], Any]) -> str:
    """Return the template with the table that fits the deployed records.

    Records without fields, and arrays of JSON, which Athena cannot read, have no table: the template's own condition
    leaves it out.

    Args:
        template: the text of our own template.
        schema: the value of the parameter Schema.
        format_: the value of the parameter Format.
        layout: the value of the parameter Layout.
        load: returns the schema that module:name names.

    Raises:
        ConfigurationError: a field cannot be a column, or Parquet is to store records without fields.
    """
    if schema == "none" or format_ == "json":
        return template
    if schema == "truck":
        return template if format_ == "ndjson" else with_record_table(template, schema, format_)
    columns = columns_of(load(schema), layout)
    if columns is None and format_ == "parquet":
        hint = "Parquet takes its columns from the fields of a msgspec.Struct. Name one, or set Format=ndjson."
        raise ConfigurationError("Schema", f"is {schema!r}, which has no fields", hint)
    return template if columns is None else with_record_table(template, schema, format_, columns)


# --- Columns ----------------------------------------------------------------------------------------


def columns_of(schema: Any, layout: str = "flat") -> tuple[TableColumn, ...] | None:
    """Return the columns of a schema; None if it has no fields, such as a function or None.

    Raises:
        ConfigurationError: a field's name cannot be that of a column.
    """
    fields = column_fields(schema)
    if fields is None:
        return None
    columns = tuple(TableColumn(field.encode_name.lower(), choose_by_type(field, _TYPES, "string")) for field in fields)
    names = [column.name for column in columns]
    taken = _PARTITIONS if layout == "hive" else ()
    for name in names:
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or names.count(name) > 1 or name in taken:
            problem = f"has the field {name!r}, which cannot be a column of Athena"
            hint = "Rename it (letters of both cases count as one), or leave the table out with CreateCatalog=false."
            raise ConfigurationError("Schema", problem, hint)
    return columns


# --- The template -----------------------------------------------------------------------------------


def with_record_table(template: str, schema: str, format_: str, columns: Sequence[TableColumn] | None = None) -> str:
    """Return the template with the table of a schema and a format.

    Args:
        template: the text of our own template.
        schema: the value of the parameter Schema.
        format_: the value of the parameter Format.
        columns: the schema's columns; None for those of the truck's record, which the template has.
    """
    condition = "!Equals [!Ref Schema, {}], !Equals [!Ref Format, {}]"
    template = template.replace(condition.format("truck", "ndjson"), condition.format(f'"{schema}"', format_))
    template = _edit(template, "DataTable", lambda table: _table(table, format_, columns))
    if columns is None:
        return template
    for resource, query in _queries(columns).items():
        template = _edit(template, resource, query.write)
    return template


def _edit(template: str, resource: str, change: Callable[[str], str]) -> str:
    """Return the template with one resource changed."""
    return re.sub(
        rf"^  {resource}:\n(?:   .*\n|\n)+", lambda found: change(found[0]), template, count=1, flags=re.MULTILINE
    )


def _table(table: str, format_: str, columns: Sequence[TableColumn] | None) -> str:
    further = _KINESIS_COLUMNS if format_ == "parquet" else ()
    if format_ == "parquet":
        for before, after in _PARQUET_PROPERTIES.items():
            table = table.replace(before, after)

    def write(found: re.Match[str]) -> str:
        head, indentation, own = found.groups()
        lines = own if columns is None else _lines(columns, indentation)
        return head + lines + _lines(further, indentation)

    return re.sub(r"(^ +Columns:\n)(?=( +))((?: +- \{Name: .*\n)+)", write, table, flags=re.MULTILINE)


def _lines(columns: Iterable[TableColumn], indentation: str) -> str:
    return "".join(f"{indentation}- {{Name: {column.name}, Type: {column.type}}}\n" for column in columns)


class _Query(NamedTuple):
    """A saved query. `before` and `after` stand around its FROM clause, in which the template filters by hour."""

    name: str
    description: str
    before: str
    after: str

    def write(self, resource: str) -> str:
        resource = re.sub(r"(?m)^( +Name: ).*$", lambda found: found[1] + self.name, resource, count=1)
        resource = re.sub(r"(?m)^( +Description: ).*$", lambda found: found[1] + self.description, resource, count=1)
        return re.sub(
            r"SELECT .*?(FROM sensor_data(?: \$\{\w+\})?).*?(?=\n *- \w+: !|\n*\Z)",
            lambda found: f"SELECT {self.before} {found[1]} {self.after}".rstrip(),
            resource,
            count=1,
            flags=re.DOTALL,
        )


def _queries(columns: Sequence[TableColumn]) -> dict[str, _Query]:
    """Return the queries that make sense for any columns, by the resource that they replace."""
    every = ", ".join(f'"{column.name}"' for column in columns)
    return {
        "LatestQuery": _Query(
            "newest-records", "The records that arrived last.", "*", 'ORDER BY "$path" DESC LIMIT 100'
        ),
        "HealthQuery": _Query(
            "values-of-each-column",
            "The range of each number, and the different values of each other column.",
            ", ".join(["count(*) AS records", *map(_summary, columns)]),
            "",
        ),
        "TwiceQuery": _Query(
            "records-that-are-there-twice",
            "Records that are stored more than once, because a producer sent them again.",
            f"{every}, count(*) AS copies",
            f"GROUP BY {every} HAVING count(*) > 1 ORDER BY count(*) DESC",
        ),
    }


def _summary(column: TableColumn) -> str:
    quoted = f'"{column.name}"'
    if column.type in {"bigint", "double"}:
        return f'min({quoted}) AS "{column.name}_min", max({quoted}) AS "{column.name}_max"'
    return f'count(DISTINCT {quoted}) AS "{column.name}_values"'
