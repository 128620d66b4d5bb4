"""Queries in OpenSearch's query DSL."""

import pytest

from truckstream.search.language.opensearch_query import query_dsl
from truckstream.search.language.parser import parse_query


@pytest.mark.parametrize(
    ("query", "dsl"),
    [
        ("*", {"match_all": {}}),
        ("speed:*", {"exists": {"field": "speed"}}),
        ("speed:60", {"term": {"speed": {"value": 60.0}}}),
        ("speed:>60", {"range": {"speed": {"gt": 60.0}}}),
        ("speed:<=60", {"range": {"speed": {"lte": 60.0}}}),
        ("engine_rpm:0", {"term": {"engine_rpm": {"value": 0}}}),
        ("truck_id:T?_\\**", {"wildcard": {"truck_id": {"value": "T?_\\**"}}}),
        ("-speed:60", {"bool": {"must_not": [{"term": {"speed": {"value": 60.0}}}]}}),
        (
            "speed:60 speed:*",
            {"bool": {"filter": [{"term": {"speed": {"value": 60.0}}}, {"exists": {"field": "speed"}}]}},
        ),
        (
            "speed:60 OR speed:*",
            {
                "bool": {
                    "should": [{"term": {"speed": {"value": 60.0}}}, {"exists": {"field": "speed"}}],
                    "minimum_should_match": 1,
                }
            },
        ),
    ],
)
def test_each_node_has_a_query(query, dsl):
    assert query_dsl(parse_query(query)) == dsl


@pytest.mark.parametrize(
    ("query", "bounds"),
    [
        ("speed:0", "{'gte': -0.0, 'lte': 0.0}"),
        ("speed:>-0", "{'gt': 0.0}"),
        ("speed:>=0", "{'gte': -0.0}"),
        ("speed:<0", "{'lt': -0.0}"),
        ("speed:<=-0", "{'lte': 0.0}"),
    ],
)
def test_both_zeros_are_one_number(query, bounds):
    assert repr(query_dsl(parse_query(query))["range"]["speed"]) == bounds
