"""Queries and their trees, and the errors of queries that are wrong."""

from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.evaluation import matches, written
from tests.search.records import NODES, READINGS, Reading
from truckstream.errors import InvalidArgumentError, InvalidQueryError
from truckstream.search.language.fields import search_fields
from truckstream.search.language.parser import parse_query


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("speed:>60 brake_temp:>200", "speed:>60 AND brake_temp:>200"),
        ("speed:>60 && brake_temp:>200", "speed:>60 AND brake_temp:>200"),
        ("speed:1 || speed:2", "speed:1 OR speed:2"),
        ("speed:1 OR speed:2 speed:3", "speed:1 OR (speed:2 AND speed:3)"),
        ("(speed:1 OR speed:2) speed:3", "speed:3 (speed:1 OR speed:2)"),
        ("-speed:1", "NOT speed:1"),
        ("!speed:1", "NOT speed:1"),
        ("NOT NOT speed:1", "speed:1"),
        ("+speed:1 -speed:2", "speed:1 AND NOT speed:2"),
        ("speed:[1 TO 2]", "speed:>=1 speed:<=2"),
        ("speed:{1 TO 2}", "speed:>1 speed:<2"),
        ("speed:[1 TO 2}", "speed:>=1 speed:<2"),
        ("speed:[1 TO *]", "speed:>=1"),
        ("speed:[* TO *]", "_exists_:speed"),
        ("speed:*", "_exists_:speed"),
        ("speed: > 60", "speed:>60"),
        ("speed:6e1", "speed:60.0"),
        ("latitude:-5.5", 'latitude:"-5.5"'),
        ("health_status:(URGENT OR WARNING)", "health_status:URGENT OR health_status:WARNING"),
        ("truck_id:(T* -T9)", "truck_id:T* AND NOT truck_id:T9"),
        ("URGENT", "health_status:URGENT OR timestamp:URGENT OR truck_id:URGENT"),
        ("truck_id:2025-01-15T14:30:25", r'truck_id:"2025-01-15T14:30:25"'),
        (r"truck_id:a\*", 'truck_id:"a*"'),
        ('"AND"', r"timestamp:\AND OR truck_id:\AND"),
        ("  *  ", "*"),
        ("speed:1\tspeed:2\n", "speed:1 AND speed:2"),
    ],
)
@given(
    truck=st.sampled_from(["T", "T9", "AND", "a*", "URGENT"]), speed=st.sampled_from([None, 1.0, 1.5, 2.0, 3.0, 60.5])
)
def test_two_ways_to_write_a_query(query, same, truck, speed):
    record = {"truck_id": truck, "timestamp": "AND", "speed": speed, "brake_temp": 250.0, "health_status": "URGENT"}
    record["latitude"] = -5.5
    assert matches(parse_query(query), record) == matches(parse_query(same), record)


@given(node=NODES, reading=READINGS)
def test_a_tree_that_is_written_is_read_again(node, reading):
    record = msgspec.structs.asdict(reading)
    assert matches(parse_query(written(node), Reading), record) == matches(node, record)


@given(st.text(st.characters(exclude_categories=[])) | st.text('ab:*?()[]{}"<>=! -+\\ANDORTO', max_size=30))
def test_any_text_is_a_query_or_an_invalid_one(text):
    try:
        parse_query(text)
    except InvalidQueryError as error:
        position, rule = error.position, error.rule
    else:
        return
    assert 0 <= position <= len(text)
    assert rule.startswith(f"at character {position + 1}: ")


@pytest.mark.parametrize(
    ("query", "position", "rule"),
    [
        ("", 0, "the query is empty; * finds all records"),
        ("  ", 0, "the query is empty"),
        ("speed:>1 brake_tmp:>200", 9, "there is no field brake_tmp. Did you mean brake_temp?"),
        ("SPEED:1", 0, "Did you mean speed?"),
        ("xyzzy:1", 0, "there is no field xyzzy. Fields: truck_id, timestamp,"),
        (":1", 0, "the name of a field must stand before the colon"),
        ("kinesis_arrival_time:>2025", 0, "chosen by --since and --until"),
        ("health_status:urgent", 14, "must be one of NORMAL, URGENT, WARNING. Did you mean URGENT?"),
        ("speed:fast", 6, "speed is fast: must be a number, such as 200 or -3.5"),
        ("speed:1e999", 6, "must be a number"),
        ("speed:6*", 6, "wildcards are for texts"),
        ("engine_rpm:1.5", 11, "must be a whole number of at most 64 bits"),
        ("engine_rpm:9223372036854775808", 11, "must be a whole number of at most 64 bits"),
        ("truck_id:>T*", 10, "a bound of a range has no wildcards"),
        ("speed:", 6, "a value must follow speed:"),
        ("speed:>", 6, "a value must follow >"),
        ("speed:[1 2]", 6, "a range must be like [10 TO 20]"),
        ("speed:[1 TO 2", 6, "a range must be like [10 TO 20]"),
        ("(speed:1", 0, "the parenthesis that begins here does not end"),
        ("speed:1)", 7, "there is no ) expected here"),
        ('x "abc', 2, "the quotes that begin here do not end"),
        ("abc\\", 3, "a backslash must be followed by"),
        ("AND speed:1", 0, "a word must stand before AND"),
        ("speed:1 AND", 11, "a word, a field or a parenthesis must follow"),
        ("speed:1 and speed:2", 8, "AND connects words"),
        (">200", 0, "a field must stand before >200, such as speed:>200"),
        ("trck~", 0, "a fuzzy search is not supported"),
        ("truck_id:/T.*/", 9, "a regular expression is not supported"),
        ("URGENT^2", 0, "a boost is not supported"),
        ("_exists_:nothing", 9, "there is no field nothing"),
        ("NOT (" * 17 + "speed:1" + ")" * 17, 0, "nests deeper than 16 levels"),
        ("(" * 1000 + "speed:1" + ")" * 1000, 64, "nests deeper than 16 levels"),
        ("x " * 600, 1000, "more than 1,000 terms"),
        ("\ud800", 0, "half of a character"),
    ],
)
def test_an_error_names_the_place_and_the_rule(query, position, rule):
    with pytest.raises(InvalidQueryError) as caught:
        parse_query(query)
    assert (caught.value.position, caught.value.rule.partition(": ")[0]) == (position, f"at character {position + 1}")
    assert rule in caught.value.rule


def test_boolean_fields_are_true_or_false():
    assert parse_query("is_on:true", Reading).value is True
    assert parse_query("is_on:false", Reading).value is False
    for query in ("is_on:yes", "is_on:>false"):
        with pytest.raises(InvalidQueryError, match="true or false"):
            parse_query(query, Reading)


def test_a_list_is_no_field_of_a_query():
    with pytest.raises(InvalidQueryError, match="tags cannot be searched"):
        parse_query("tags:x", Reading)


def test_the_fields_follow_from_the_schema():
    schema = msgspec.defstruct(
        "Other", [("a", int | None), ("b", int | str), ("c", Literal[1, 2]), ("d", Literal["x"])]
    )
    fields = search_fields(schema)
    assert {name: field.kind for name, field in fields.items() if not name.startswith("kinesis_")} == {
        "a": "whole",
        "d": "text",
    }
    assert fields["d"].choices == ("x",)


@pytest.mark.parametrize("schema", [None, int, print])
def test_a_schema_without_fields_has_no_queries(schema):
    with pytest.raises(InvalidArgumentError, match="must be a type with named fields"):
        parse_query("*", schema)


def test_a_free_word_needs_a_field_of_texts():
    schema = msgspec.defstruct("Numbers", [("a", int)])
    with pytest.raises(InvalidQueryError, match="no field holds texts"):
        parse_query("word", schema)
