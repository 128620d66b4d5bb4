"""Parse a query with DuckDB's own parser: is it one SELECT, and which columns of its answer identify a row?

`json_serialize_sql` returns the parsed statements. They are only looked at here; DuckDB runs the user's text.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

__all__ = ["key_places", "parse_select", "pointer"]

#: Parts of a parsed expression that say where it stands, or how it is called, and not what it is.
_POSITION = frozenset({"query_location", "query_location_length", "alias"})


def parse_select(sql: str, serialized: str) -> dict[str, Any]:
    """Return the parsed SELECT of a text that has exactly one.

    Args:
        sql: the text.
        serialized: the result of json_serialize_sql for it.

    Raises:
        InvalidArgumentError: it has no statement, several ones, or another one than SELECT.
    """
    parsed = json.loads(serialized)
    if parsed["error"]:
        if parsed["error_type"] == "parser":
            where = pointer(sql, int(parsed["position"])) if parsed.get("position", "").isdecimal() else ""
            raise InvalidArgumentError("sql", sql, f"{parsed['error_message']}{where}")
        raise InvalidArgumentError("sql", sql, "must be one SELECT: other statements do not work on a stream")
    statements = parsed["statements"]
    if len(statements) != 1:
        raise InvalidArgumentError("sql", sql, f"must be one SELECT, and has {len(statements)} statements")
    node: dict[str, Any] = statements[0]["node"]
    for each in _nodes(node):
        if str(each.get("type", "")).endswith(("INSERT_QUERY_NODE", "UPDATE_QUERY_NODE", "DELETE_QUERY_NODE")):
            raise InvalidArgumentError("sql", sql, "must change nothing: a SELECT only reads")
    return node


def pointer(sql: str, position: int) -> str:
    """Return the line of a text at a position, and a mark below the position."""
    start = sql.rfind("\n", 0, position) + 1
    line = sql[start:].split("\n", 1)[0]
    number = sql.count("\n", 0, position) + 1
    head = f"LINE {number}: "
    return f"\n{head}{line}\n{' ' * (len(head) + position - start)}^"


def key_places(node: dict[str, Any], names: Sequence[str], aggregates: Container[str]) -> tuple[int, ...] | None:
    """Return the columns of the answer that identify a row: those of GROUP BY; none if there is one row only.

    Args:
        node: the parsed SELECT.
        names: the columns of the answer.
        aggregates: the names of DuckDB's aggregate functions.

    Returns:
        The places of the columns; None if the answer does not have all of them, so that only whole rows differ.
    """
    items = node.get("select_list", [])
    if node["type"] != "SELECT_NODE" or len(items) != len(names):
        return None
    plain = tuple(place for place, item in enumerate(items) if not _has_aggregate(item, aggregates))
    if node["aggregate_handling"] == "FORCE_AGGREGATES":  # GROUP BY ALL
        return plain
    groups = node.get("group_expressions", [])
    if not groups:
        return () if items and not plain else None
    if len(node.get("group_sets", [])) != 1:  # ROLLUP and the like: a null can stand for a value or for all values
        return None
    places = [_place_of(group, items, names) for group in groups]
    return None if None in places else tuple(places)  # type: ignore[arg-type]


def _place_of(group: dict[str, Any], items: Sequence[dict[str, Any]], names: Sequence[str]) -> int | None:
    """Return the item of the answer that a group of GROUP BY is: by its number, its text or its name."""
    if group["class"] == "CONSTANT":
        text = group.get("literal", {}).get("text") or str(group.get("value", {}).get("value", ""))
        return int(text) - 1 if text.isdecimal() and 0 < int(text) <= len(items) else None
    wanted = _bare(group)
    for place, item in enumerate(items):
        if _bare(item) == wanted:
            return place
    path = group.get("column_names") or [""]
    lowered = [name.lower() for name in names]
    name = str(path[-1]).lower()
    return lowered.index(name) if group["class"] == "COLUMN_REF" and name in lowered else None


def _bare(expression: Any) -> Any:
    """Return an expression without its position and its alias."""
    if isinstance(expression, dict):
        return {name: _bare(value) for name, value in expression.items() if name not in _POSITION}
    if isinstance(expression, list):
        return [_bare(each) for each in expression]
    return expression


def _has_aggregate(expression: dict[str, Any], aggregates: Container[str]) -> bool:
    return any(
        node.get("class") == "FUNCTION" and str(node.get("function_name", "")).lower() in aggregates
        for node in _nodes(expression)
    )


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    """Yield each object in a parsed statement."""
    waiting = [part]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
