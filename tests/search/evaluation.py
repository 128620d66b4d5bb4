"""A query's tree evaluated in plain Python, to judge its translations, and trees written as texts."""

from __future__ import annotations

import operator
import re
from typing import Any

from truckstream.search.language.syntax import And, Comparison, Everything, Exists, Node, Not, Or, Pattern, Wildcard

_COMPARISONS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_REGEX = {Wildcard.MANY: ".*", Wildcard.ONE: "."}


def matches(node: Node, record: dict[str, Any]) -> bool:  # noqa: PLR0911 - one for each kind of node
    """Return whether a record matches a query."""
    match node:
        case Everything():
            return True
        case Exists(field):
            return record.get(field.name) is not None
        case Comparison(field, symbol, wanted):
            value = record.get(field.name)
            return value is not None and _COMPARISONS[symbol](value, wanted)
        case Pattern(field, parts):
            regex = "".join(_REGEX[part] if isinstance(part, Wildcard) else re.escape(part) for part in parts)
            value = record.get(field.name)
            return value is not None and re.fullmatch(regex, value, re.DOTALL) is not None
        case Not(inner):
            return not matches(inner, record)
        case And(nodes):
            return all(matches(each, record) for each in nodes)
        case Or(nodes):
            return any(matches(each, record) for each in nodes)


def written(node: Node) -> str:  # noqa: PLR0911 - one for each kind of node
    """Return a query whose tree this is."""
    match node:
        case Everything():
            return "*"
        case Exists(field):
            return f"{escaped(field.name)}:*"
        case Comparison(field, symbol, value):
            text = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else str(value)
            return f"{escaped(field.name)}:{symbol.replace('=', '', symbol == '=')}{quoted(text)}"
        case Pattern(field, parts):
            return f"{escaped(field.name)}:" + "".join(
                part.value if isinstance(part, Wildcard) else escaped(part) for part in parts
            )
        case Not(inner):
            return f"NOT ({written(inner)})"
        case And(nodes):
            return " AND ".join(f"({written(each)})" for each in nodes)
        case Or(nodes):
            return " OR ".join(f"({written(each)})" for each in nodes)


def escaped(text: str) -> str:
    """Return a text of which each character has a backslash before it."""
    return "".join(f"\\{each}" for each in text)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
