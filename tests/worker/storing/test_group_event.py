"""A group of stored records becomes the event that Lambda would have delivered."""

import pytest

from tests.batcher.support import ARN, SHARD, aggregate, number, record, sealed
from tests.worker.support import aggregated, many, stored
from truckstream.batcher.reading.aggregates import expand_aggregates
from truckstream.batcher.reading.event import read_event
from truckstream.kpl import decode
from truckstream.worker.storing.group_event import event_of


def columns(event):
    """Return the event's columns; boundaries are compared by what they do."""
    names = ("stream", "shard", "sequences", "arrivals", "partition_keys", "payloads", "subsequences", "hash_keys")
    found = {name: getattr(event, name) for name in names}
    return found | {"boundaries": [event.boundaries.at_or_after(at) for at in range(len(event) + 1)]}


def test_plain_records():
    assert columns(event_of(ARN, SHARD, many(3))) == columns(read_event([record(b'{"n":%d}' % n, n) for n in range(3)]))


def test_an_aggregate():
    data = aggregate((b"a", "KEY"), (b"b", "KEY", "17"))
    [expected] = expand_aggregates(read_event([record(b"first", 0), record(data, 1)]), 700)
    users = [stored(1, user.data, at) for at, user in enumerate(decode(data))]
    for user, each in zip(decode(data), users, strict=True):
        each.partition_key, each.explicit_hash_key = user.partition_key, user.explicit_hash_key
    assert columns(event_of(ARN, SHARD, [stored(0, b"first"), *users])) == columns(expected)


@pytest.mark.parametrize("data", [sealed(b"\x1a\xff"), aggregate(b"x")[:-1] + b"?"], ids=["broken", "another MD5"])
def test_an_aggregate_that_the_consumer_could_not_take_apart(data):
    [expected] = expand_aggregates(read_event([record(data, 0)]), 700)
    found = columns(event_of(ARN, SHARD, [stored(0, data)]))
    assert found | {"subsequences": None} == columns(expected) | {"subsequences": None}


def test_a_user_record_that_looks_like_an_aggregate_is_data():
    [user] = aggregated(0, 1)
    user.data = sealed(b"\x1a\xff")
    assert event_of(ARN, SHARD, [user]).payloads == [user.data]


def test_records_that_share_a_number_are_one_place():
    event = event_of(ARN, SHARD, [stored(0), stored(1), stored(1), stored(2)])
    assert event.sequences == [number(0), number(1), number(1), number(2)]
    assert [event.boundaries.at_or_after(at) for at in range(5)] == [0, 1, 3, 3, 4]
