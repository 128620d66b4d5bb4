"""From keys to hash keys to shards."""

from hypothesis import given
from hypothesis import strategies as st

from truckstream.kinesis.shard_map import Shard, ShardMap, hash_key_of, parse_hash_key

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


@given(st.integers(0, 2**128 - 1))
def test_every_decimal_of_128_bits_is_an_explicit_hash_key(number):
    assert parse_hash_key(str(number)) == number
