"""A query in OpenSearch's query DSL.

It is built from the tree, and the text is not passed on as query_string: with it a misspelt field would find nothing,
and texts such as `1 OR 2` mean other records to Lucene than to DuckDB. All parts are filters, so that OpenSearch
computes no scores and keeps their results in its cache.

`index_template.py` maps texts to `keyword`, whole numbers to `long`, other numbers to `double`.
"""

from __future__ import annotations

from typing import Any, Final

from truckstream.search.language.syntax import And, Comparison, Everything, Exists, Node, Not, Or, Pattern, Wildcard

__all__ = ["query_dsl"]

_RANGES: Final = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
#: Lucene sorts -0.0 below 0.0, which are equal elsewhere. So each bound at zero is the one that leaves out, or
#: includes, both.
_ZEROS: Final = {">": 0.0, ">=": -0.0, "<": -0.0, "<=": 0.0}


def query_dsl(node: Node) -> dict[str, Any]:  # noqa: PLR0911 - one for each kind of node
    """Return the query that finds the records of a tree."""
    match node:
        case Everything():
            return {"match_all": {}}
        case Exists(field):
            return {"exists": {"field": field.name}}
        case Comparison():
            return _comparison(node)
        case Pattern(field, parts):
            pattern = "".join(part.value if isinstance(part, Wildcard) else _literal(part) for part in parts)
            return {"wildcard": {field.name: {"value": pattern}}}
        case Not(inner):
            return {"bool": {"must_not": [query_dsl(inner)]}}
        case And(nodes):
            return {"bool": {"filter": [query_dsl(each) for each in nodes]}}
        case Or(nodes):
            return {"bool": {"should": [query_dsl(each) for each in nodes], "minimum_should_match": 1}}


def _comparison(node: Comparison) -> dict[str, Any]:
    name, operator, value = node.field.name, node.operator, node.value
    is_zero = node.field.kind == "number" and value == 0
    if operator == "=":
        if is_zero:
            return {"range": {name: {"gte": -0.0, "lte": 0.0}}}
        return {"term": {name: {"value": value}}}
    return {"range": {name: {_RANGES[operator]: _ZEROS[operator] if is_zero else value}}}


def _literal(text: str) -> str:
    """Return a text in which no character is a wildcard."""
    return "".join(f"\\{each}" if each in "\\*?" else each for each in text)
