"""The partition key of a line comes from a field, from the option, or from chance."""

import random
from collections import Counter

import pytest

from truckstream.commands.stream.lines.partition_key import key_rule
from truckstream.errors import ConfigurationError, InvalidArgumentError, UsageError
from truckstream.kinesis.shard_map import hash_key_of


def rule(field=None, key=None, *, ordered=False):
    return key_rule(field, key, ordered, random.Random(1))


@pytest.mark.parametrize(
    ("field", "line", "key"),
    [
        ("truck_id", b'{"truck_id": "TRUCK_001", "x": 1}', "TRUCK_001"),
        ("truck.id", b'{"truck": {"id": "t-1"}}', "t-1"),
        ("a.b.c", b'{"a": {"b": {"c": 7}}}', "7"),
        ("service.name", b'{"service.name": "api", "service": {"name": "other"}}', "api"),
        ("id", b'{"id": -12}', "-12"),
        ("id", '{"id": "Müller"}'.encode(), "Müller"),
    ],
)
def test_a_field_is_the_key(field, line, key):
    assert rule(field)(line) == key


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"hello", "the line is no JSON, which --key-field needs"),
        (b'{"truck": {"id": "\xff"}}', "the line is no JSON, which --key-field needs"),
        (b"[1]", "the line is no JSON object"),
        (b'"text"', "the line is no JSON object"),
        (b"{}", "truck is missing: --key-field truck.id needs it in each line"),
        (b'{"truck": {}}', "truck.id is missing"),
        (b'{"truck": "x"}', "truck.id is missing"),
        (b'{"truck": {"id": null}}', "truck.id is null: a partition key must be a string or a whole number"),
        (b'{"truck": {"id": true}}', "truck.id is true"),
        (b'{"truck": {"id": 1.5}}', "truck.id is 1.5"),
        (b'{"truck": {"id": {"a": 1}}}', 'truck.id is {"a":1}'),
    ],
)
def test_a_line_without_a_key_is_an_error_that_names_the_rule(line, problem):
    with pytest.raises(UsageError) as caught:
        rule("truck.id")(line)
    assert str(caught.value).startswith(problem)


def test_one_key_for_all_lines():
    assert [rule(key="k")(line) for line in (b"a", b"b")] == ["k", "k"]


def test_random_keys_are_spread_over_the_shards_also_for_equal_lines():
    key_of = rule()
    keys = [key_of(b"the same") for _ in range(8_000)]
    assert len(set(keys)) == 8_000
    quarters = Counter(hash_key_of(key.encode()) >> 126 for key in keys)
    assert all(1_800 < quarters[quarter] < 2_200 for quarter in range(4))


def test_options_that_contradict_each_other_are_errors():
    with pytest.raises(ConfigurationError, match="--key cannot be used with --key-field"):
        rule("id", "k")
    with pytest.raises(ConfigurationError, match="--ordered needs keys that lines share"):
        rule(ordered=True)
    with pytest.raises(ConfigurationError, match=r"--key-field is 'a\.\.b'"):
        rule("a..b")
    with pytest.raises(InvalidArgumentError, match="must have 1 to 256 characters"):
        rule(key="")
    assert rule(key="k", ordered=True)(b"") == "k"
