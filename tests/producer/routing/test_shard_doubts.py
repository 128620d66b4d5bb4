"""When a shard comes into doubt, and what ends the doubt."""

import pytest

from tests.producer.routing.support import LEFT, RIGHT, make_router
from tests.producer.support import even_shards
from truckstream.producer.routing.shard_doubts import ShardDoubts


@pytest.fixture
def outboxes():
    router = make_router()
    router.set_shards(even_shards(2), 0.0)
    return [router.route("TRUCK_001", hash_key).outbox for hash_key in (LEFT, RIGHT)]


def test_only_the_first_contradiction_about_a_shard_is_new(outboxes):
    """It causes a listing at once; those that follow must not."""
    doubts, (first, second) = ShardDoubts(), outboxes
    assert doubts.begin(first)
    assert not doubts.begin(first)
    assert doubts.begin(second)
    assert (first.is_doubted, second.is_doubted, len(doubts)) == (True, True, 2)


def test_a_doubt_ends_when_the_shard_is_listed_and_then_stores_a_request_sent_later(outboxes):
    doubts, (first, second) = ShardDoubts(), outboxes
    doubts.begin(first)
    doubts.begin(second)
    doubts.on_stored(first, 5.0)
    assert first.is_doubted, "it was not listed yet"
    doubts.on_listing(6.0)
    doubts.on_stored(first, 6.0)
    assert first.is_doubted, "the request was sent before the listing came"
    doubts.on_stored(first, 6.1)
    assert first.is_doubted is False
    assert (second.is_doubted, len(doubts)) == (True, 1)


def test_a_second_listing_does_not_prolong_a_doubt(outboxes):
    doubts, (first, _) = ShardDoubts(), outboxes
    doubts.begin(first)
    doubts.on_listing(6.0)
    doubts.on_listing(8.0)
    doubts.on_stored(first, 7.0)
    assert not first.is_doubted


def test_a_second_contradiction_does_not_undo_a_listing(outboxes):
    """Responses to requests that were sent before the listing may contradict the map for a while."""
    doubts, (first, _) = ShardDoubts(), outboxes
    doubts.begin(first)
    doubts.on_listing(6.0)
    doubts.begin(first)
    doubts.on_stored(first, 7.0)
    assert not first.is_doubted


def test_a_shard_that_is_not_in_doubt_stays_so(outboxes):
    doubts, (first, second) = ShardDoubts(), outboxes
    doubts.begin(first)
    doubts.on_listing(1.0)
    doubts.on_stored(second, 9.0)
    assert (second.is_doubted, len(doubts)) == (False, 1)


def test_a_closed_shard_is_forgotten(outboxes):
    doubts, (first, second) = ShardDoubts(), outboxes
    doubts.begin(first)
    doubts.begin(second)
    first.close()
    doubts.on_listing(1.0)
    assert len(doubts) == 1
    doubts.on_stored(second, 2.0)
    assert len(doubts) == 0
