"""From keys to hash keys to shards."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.shard_map import (
    Shard,
    ShardMap,
    check_partition_key,
    hash_key_of,
    parse_hash_key,
    plain_str,
    record_hash_key,
)

HALF = 2**127


def test_the_hash_key_of_a_partition_key_is_its_md5():
    assert hash_key_of(b"TRUCK_001") == 0xD1568C65AE23B8BA74395D52352346E7


def test_a_hash_key_on_the_edge_belongs_to_the_shard_that_starts_there():
    shards = ShardMap([Shard("b", HALF, 2**128 - 1), Shard("a", 0, HALF - 1)])
    assert [shards.shard_of(key).shard_id for key in (0, HALF - 1, HALF, 2**128 - 1)] == ["a", "a", "b", "b"]


def test_closed_shards_own_no_keys_and_a_gap_has_no_shard():
    shards = ShardMap([Shard("parent", 0, 2**128 - 1, is_open=False), Shard("child", HALF, 2**128 - 1)])
    assert shards.shard_of(5) is None
    assert shards.shard_of(HALF).shard_id == "child"


def test_a_gap_may_lie_between_two_shards():
    """The middle one was split, and its children are not listed yet."""
    shards = ShardMap([Shard("a", 0, 9), Shard("c", 20, 29)])
    assert [shards.shard_of(key) and shards.shard_of(key).shard_id for key in (9, 10, 19, 20, 30)] == [
        *("a", None, None, "c", None)
    ]


@given(st.integers(0, 2**128 - 1))
def test_every_decimal_of_128_bits_is_an_explicit_hash_key(number):
    assert parse_hash_key(str(number)) == number


def test_an_explicit_hash_key_replaces_that_of_the_partition_key():
    assert record_hash_key("TRUCK_001", None) == hash_key_of(b"TRUCK_001")
    assert record_hash_key("TRUCK_001", "5") == 5


def test_keys_are_hashed_on_machines_that_forbid_md5_for_security(monkeypatch):
    """In FIPS mode OpenSSL refuses MD5, unless it is declared to be used for something else."""
    md5 = hashlib.md5

    def md5_in_fips_mode(data, *, usedforsecurity=True):
        if usedforsecurity:
            raise ValueError("[digital envelope routines] unsupported")
        return md5(data, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "md5", md5_in_fips_mode)
    assert hash_key_of(b"TRUCK_001") == 0xD1568C65AE23B8BA74395D52352346E7


HASH_KEY_RULE = "must be the decimal digits of a number from 0 to 2**128 - 1, as a str"


@pytest.mark.parametrize(
    ("check", "value", "argument", "rule"),
    [
        (check_partition_key, b"TRUCK_001", "partition_key", "must be a str"),
        (check_partition_key, "", "partition_key", "must have 1 to 256 characters, and has 0"),
        (check_partition_key, "x" * 257, "partition_key", "must have 1 to 256 characters, and has 257"),
        (check_partition_key, "\ud800", "partition_key", "must be text that UTF-8 can encode"),
        (parse_hash_key, 5, "explicit_hash_key", HASH_KEY_RULE),
        (parse_hash_key, "-1", "explicit_hash_key", HASH_KEY_RULE),
        (parse_hash_key, "01", "explicit_hash_key", HASH_KEY_RULE),
        (parse_hash_key, str(2**128), "explicit_hash_key", HASH_KEY_RULE),
        (lambda value: plain_str("text", value), 5, "text", "must be a str"),
    ],
)
def test_the_error_for_an_invalid_key_has_the_argument_the_value_and_the_rule(check, value, argument, rule):
    with pytest.raises(InvalidArgumentError) as caught:
        check(value)
    assert (caught.value.argument, caught.value.value, caught.value.rule) == (argument, value, rule)


def test_a_partition_key_may_have_256_characters():
    assert len(check_partition_key("é" * 256)) == 512
