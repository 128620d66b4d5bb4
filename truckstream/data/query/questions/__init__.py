"""Questions with names: a file of SQL each, whose first line is a comment that describes it.

The same text runs in DuckDB and in Athena. The differences are here (`athena_sql`): the names of the tables, and
how a row learns of its object. Both have the functions that the files call; `from_unixtime` is a macro in DuckDB.

A question reads FROM records without a WHERE beside it, because the template filters there by the partitions of a day.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Question", "athena_sql", "questions"]

#: Texts of DuckDB's SQL and those of Athena's. "$path" is the URL of a row's object.
_IN_ATHENA: Final = {
    r"\bFROM records\b": "FROM {table}",
    r"\bcoalesce\(kinesis_arrival_time, object_arrival\)": (
        r"""date_parse(regexp_extract("$path", 'batch_([-0-9T]+)_', 1), '%Y-%m-%dT%H-%i-%s')"""
    ),
}


class Question(NamedTuple):
    """A question with a name."""

    name: str
    description: str
    sql: str


@cache
def questions() -> dict[str, Question]:
    """Return the questions by name."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.sql")):
        comment, _, sql = path.read_text(encoding="utf-8").partition("\n")
        found[path.stem] = Question(path.stem, comment.removeprefix("-- "), sql.strip())
    return found


def athena_sql(sql: str, table: str = "sensor_data") -> str:
    """Return a question's SQL in the dialect of Athena. `table` is the valid records' table, with a filter if any."""
    for pattern, text in _IN_ATHENA.items():
        sql = re.sub(pattern, lambda _, text=text: text.replace("{table}", table), sql)  # type: ignore[misc]
    return sql
