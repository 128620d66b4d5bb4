"""Records of a stream are matched with the records that an intent may have put."""

from __future__ import annotations

import pytest

from truckstream.data.replay.journal.entries import EntryName, Intent, Item
from truckstream.data.replay.targets.stream_matching import CLOCK_DIFFERENCE, OpenIntent, StreamMatching

T0 = 1_736_951_425.0


def item(n, data=b"data", key="key"):
    """Record n, whose rejected record has the sequence number n."""
    return Item(f"id {n}", str(n), None, key, None, T0 - 600, data)


def open_intent(*items, number=1, at=T0, indices=None):
    made = Intent(run="run", target="arn", at=at, stream="arn", shard="shard", items=list(items))
    return OpenIntent(EntryName("2025-01-15T14", number), made, list(range(len(items))) if indices is None else indices)


def found(intents, records, known=()):
    """The found records by intent: `records` are the key, the data, the number and the arrival after T0 of each."""
    matching = StreamMatching(intents, known)
    for key, data, number, after in records:
        matching.offer(key, data, number, T0 + after)
    return [matching.found()[each.name] for each in intents]


def test_a_record_is_found_by_its_key_and_bytes():
    intents = [open_intent(item(1), item(2, b"other"), item(3, key="other"))]
    assert found(intents, [("key", b"data", "100", 1)]) == [[(0, "100")]]
    assert found(intents, [("key", b"other", "100", 1)]) == [[(1, "100")]]
    assert found(intents, [("other", b"data", "100", 1)]) == [[(2, "100")]]
    assert found(intents, [("ke", b"ydata", "100", 1)]) == [[]]


def test_the_rejected_record_is_another_one():
    assert found([open_intent(item(1))], [("key", b"data", "1", 1)]) == [[]]


def test_a_record_that_another_intent_has_put_is_another_one():
    assert found([open_intent(item(1))], [("key", b"data", "100", 1)], known=["100"]) == [[]]


def test_an_earlier_record_is_another_one_but_clocks_may_differ():
    intents = [open_intent(item(1))]
    assert found(intents, [("key", b"data", "100", -CLOCK_DIFFERENCE - 1)]) == [[]]
    assert found(intents, [("key", b"data", "100", -CLOCK_DIFFERENCE + 1)]) == [[(0, "100")]]


def test_equal_records_count_as_often_as_they_are_found():
    intents = [open_intent(item(1), item(2), item(3))]
    assert found(intents, [("key", b"data", "101", 2), ("key", b"data", "100", 1)]) == [[(0, "100"), (1, "101")]]


def test_a_record_that_is_read_twice_counts_once():
    assert found([open_intent(item(1), item(2))], [("key", b"data", "100", 1)] * 2) == [[(0, "100")]]


def test_a_record_goes_to_an_intent_that_was_written_before_it():
    intents = [open_intent(item(1)), open_intent(item(2), number=2, at=T0 + 2 * CLOCK_DIFFERENCE)]
    assert found(intents, [("key", b"data", "100", 1)]) == [[(0, "100")], []]
    late = ("key", b"data", "101", 2 * CLOCK_DIFFERENCE + 1)
    assert found(intents, [("key", b"data", "100", 1), late]) == [[(0, "100")], [(0, "101")]]


def test_records_that_are_not_under_way_are_not_wanted():
    assert found([open_intent(item(1), item(2), indices=[1])], [("key", b"data", "100", 1)]) == [[(1, "100")]]


def test_the_stream_is_read_from_the_earliest_intent_on():
    intents = [open_intent(item(1), at=T0 + 5), open_intent(item(2), number=2)]
    assert StreamMatching(intents, ()).since == pytest.approx(T0 - CLOCK_DIFFERENCE)
