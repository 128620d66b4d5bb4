"""A new shard map costs work in proportion to the shards: counted, because a time would depend on the machine."""

import pytest

from tests.producer.support import even_shards
from truckstream.kinesis.shard_map import Shard
from truckstream.producer.watching.event_buffer import EventBuffer

SHARDS = 2_000


@pytest.fixture
def comparisons(monkeypatch):
    """The comparisons of two shards for equality, so far."""
    made = []
    compare = Shard.__eq__

    def counted(one, other):
        made.append(1)
        return compare(one, other)

    monkeypatch.setattr(Shard, "__eq__", counted)
    return made


def split_first(shards):
    """`shards` after the first of them was split in two."""
    first, *others = shards
    middle = (first.starting_hash_key + first.ending_hash_key) // 2
    return [
        Shard("shardId-000000098000", first.starting_hash_key, middle),
        Shard("shardId-000000099000", middle + 1, first.ending_hash_key),
        *others,
    ]


def test_a_split_compares_each_shard_a_few_times(make_core, comparisons):
    core = make_core(SHARDS)
    comparisons.clear()
    core.on_shards(split_first(even_shards(SHARDS)), 1.0)
    assert len(comparisons) <= 4 * SHARDS
    assert len(core.stats(1.0).shards) == SHARDS + 1


class CountedId(str):
    """A shard's id that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other):
        CountedId.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_an_observer_compares_each_shard_a_few_times():
    before = [CountedId(shard.shard_id) for shard in even_shards(SHARDS)]
    after = [CountedId(shard.shard_id) for shard in split_first(even_shards(SHARDS))]
    events = EventBuffer("trucks")
    CountedId.compared = 0
    events.shards_listed(before, after)
    assert CountedId.compared <= 4 * SHARDS
    [event] = events.take()
    assert event.opened == ("shardId-000000098000", "shardId-000000099000")
    assert event.closed == ("shardId-000000000000",)
