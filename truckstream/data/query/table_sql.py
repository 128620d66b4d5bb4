"""The statements that make the tables of listed objects.

`records` and `rejected` are views, so that DuckDB reads only what a query needs:

- The paths are in variables, because DuckDB takes 5 s to parse a view of 120,000 of them, and 50 ms to read a variable.
- `object_key` and `object_arrival` are computed from the path. DuckDB evaluates a filter on them before it opens the
  objects, so that `WHERE object_arrival >= …` reads only those of the time.
- Types that the schema knows are given, never guessed. The format "auto" is that of each object: both lines and arrays
  have keys that end with .json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from truckstream.data.query.columns import GIVEN_UP_COLUMNS, REJECTED_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from truckstream.data.query.columns import SqlColumn

__all__ = ["make_tables", "view"]

#: The facts about a row's object: its key, and when its first record arrived in Kinesis, in UTC. Of a compacted file
#: it is the beginning of the hour.
_OBJECT_COLUMNS: Final = {
    "object_key": ("VARCHAR", "substr({path}, {start})"),
    "object_arrival": (
        "TIMESTAMP",
        # A compacted file is named after its hour.
        r"""try_strptime(
            regexp_extract({path}, '/(batch|hour)_([-0-9T]+)_[^/]*$', 2), ['%Y-%m-%dT%H-%M-%S', '%Y-%m-%dT%H'])""",
    ),
}

#: The column of a row's path while objects are read. No field of a record should have its name.
_PATH: Final = "_truckstream_object_path"

#: Functions of Athena that saved queries call and that DuckDB has under other names.
_MACROS: Final = {
    "from_unixtime(seconds)": "make_timestamp((seconds * 1000000)::BIGINT)",
    "date_format(moment, form)": "strftime(moment, form)",
}


def make_tables(
    tables: Collection[str],
    root: str,
    records: Iterable[str],
    rejected: Iterable[str],
    given_up: Sequence[tuple[Any, ...]],
    columns: Sequence[SqlColumn] | None,
) -> list[str]:
    """Return the statements that make the tables, and the functions of Athena.

    Args:
        tables: the tables to make.
        root: the text before an object's key in the path that DuckDB opens.
        records: the keys of the objects of valid records.
        rejected: the keys of the objects of rejected records.
        given_up: the rows of given_up.
        columns: the columns of records; None for those that DuckDB detects.
    """
    made = [f"CREATE OR REPLACE MACRO {head} AS {body}" for head, body in _MACROS.items()]
    if "records" in tables:
        made += view("records", columns, root, records)
    if "rejected" in tables:
        made += view("rejected", REJECTED_COLUMNS, root, rejected)
    if "given_up" in tables:
        made.append(f"CREATE OR REPLACE TABLE given_up ({', '.join(f'{n} {t}' for n, t in GIVEN_UP_COLUMNS)})")
        made += [f"INSERT INTO given_up VALUES ({', '.join(map(_value, row))})" for row in given_up]  # noqa: S608
    return made


def view(name: str, columns: Sequence[SqlColumn] | None, root: str, keys: Iterable[str]) -> list[str]:
    """Return the statements that make a table of the objects with these keys."""
    json: list[str] = []
    parquet: list[str] = []
    for key in keys:
        (parquet if key.endswith(".parquet") else json).append(_quote(_literal(root + key)))
    variables = {f"{name}_json": json, f"{name}_parquet": parquet}
    made = [f"SET VARIABLE {each} = [{', '.join(paths)}]" for each, paths in variables.items() if paths]
    parts = []
    if json:
        parts.append(_json_reader(f"getvariable('{name}_json')", columns))
    if parquet:
        parts.append(_parquet_reader(f"getvariable('{name}_parquet')", columns))
    select = _select(columns, parts, len(root) + 1) if parts else _select_nothing(columns)
    return [*made, f"CREATE OR REPLACE VIEW {name} AS {select}"]


def _select(columns: Sequence[SqlColumn] | None, parts: Iterable[str], start: int) -> str:
    own = [_quote_name(column.name) for column in columns] if columns is not None else [f"* EXCLUDE ({_PATH})"]
    taken = {column.name.lower() for column in columns or ()}
    derived = [
        f"{expression.format(path=_PATH, start=start)} AS {name}"
        for name, (_, expression) in _OBJECT_COLUMNS.items()
        if name not in taken
    ]
    rows = " UNION ALL BY NAME ".join(f"SELECT * FROM {part}" for part in parts)  # noqa: S608 - our own text
    return f"SELECT {', '.join([*own, *derived])} FROM ({rows})"  # noqa: S608 - names are quoted


def _select_nothing(columns: Sequence[SqlColumn] | None) -> str:
    types = {name: kind for name, (kind, _) in _OBJECT_COLUMNS.items()} | dict(columns or ())
    names = [*(column.name for column in columns or ()), *(name for name in _OBJECT_COLUMNS)]
    return f"SELECT {', '.join(f'NULL::{types[name]} AS {_quote_name(name)}' for name in dict.fromkeys(names))} LIMIT 0"


# --- Readers ----------------------------------------------------------------------------------------

_OPTIONS: Final = f"filename = '{_PATH}', hive_partitioning = false"


def _json_reader(files: str, columns: Sequence[SqlColumn] | None) -> str:
    if columns is None:
        return f"read_json({files}, format = 'auto', union_by_name = true, {_OPTIONS})"
    types = ", ".join(f"{_quote_name(name)}: {_quote(kind)}" for name, kind in columns)
    return f"read_json({files}, format = 'auto', columns = {{{types}}}, {_OPTIONS})"


def _parquet_reader(files: str, columns: Sequence[SqlColumn] | None) -> str:
    if columns is None:
        return f"read_parquet({files}, union_by_name = true, {_OPTIONS})"
    fields = ", ".join(
        f"{_quote(name)}: {{'name': {_quote(name)}, 'type': {_quote(kind)}, 'default_value': NULL}}"
        for name, kind in columns
    )
    return f"read_parquet({files}, schema = MAP {{{fields}}}, {_OPTIONS})"


# --- Quoting ----------------------------------------------------------------------------------------


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quote_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _value(value: Any) -> str:
    return str(value) if isinstance(value, int) else _quote(str(value))


def _literal(path: str) -> str:
    """Return a path in which no character is a wildcard."""
    return "".join(f"[{each}]" if each in "[*?" else each for each in path)
