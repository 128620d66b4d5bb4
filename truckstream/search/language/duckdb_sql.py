"""A query as a condition of DuckDB. Values are parameters; only the quoted names of columns are in the text.

SQL knows a third truth value. Each comparison is made false where a record has no value, so that NOT finds the record,
as `must_not` of OpenSearch does.
"""

from __future__ import annotations

from typing import Final

from truckstream.search.language.syntax import (
    And,
    Comparison,
    Everything,
    Exists,
    Node,
    Not,
    Or,
    Pattern,
    Value,
    Wildcard,
)

__all__ = ["quote_name", "sql_condition"]

_LIKE: Final = {Wildcard.MANY: "%", Wildcard.ONE: "_"}


def sql_condition(node: Node) -> tuple[str, list[Value]]:  # noqa: PLR0911 - one for each kind of node
    """Return the condition and its parameters, one for each question mark in it."""
    match node:
        case Everything():
            return "true", []
        case Exists(field):
            return f"{quote_name(field.name)} IS NOT NULL", []
        case Comparison(field, operator, value):
            return f"coalesce({quote_name(field.name)} {operator} ?, false)", [value]
        case Pattern(field, parts):
            pattern = "".join(_LIKE[part] if isinstance(part, Wildcard) else _literal(part) for part in parts)
            return rf"coalesce({quote_name(field.name)} LIKE ? ESCAPE '\', false)", [pattern]
        case Not(inner):
            condition, values = sql_condition(inner)
            return f"NOT ({condition})", values
        case And(nodes):
            return _joined(" AND ", nodes)
        case Or(nodes):
            return _joined(" OR ", nodes)


def quote_name(name: str) -> str:
    """Return a column's name in quotes."""
    return '"' + name.replace('"', '""') + '"'


def _joined(word: str, nodes: tuple[Node, ...]) -> tuple[str, list[Value]]:
    conditions, values = zip(*map(sql_condition, nodes), strict=True)
    return f"({word.join(conditions)})", [value for each in values for value in each]


def _literal(text: str) -> str:
    """Return a text in which no character is a wildcard of LIKE."""
    return "".join(f"\\{each}" if each in "\\%_" else each for each in text)
