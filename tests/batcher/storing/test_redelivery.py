"""How much of our records an existing object under our key covers."""

from dataclasses import replace

import msgspec
import pytest

from tests.batcher.support import ARN, ARRIVAL, SHARD, number
from truckstream.batcher.grouping.boundaries import Boundaries
from truckstream.batcher.grouping.lines import Lines
from truckstream.batcher.storing.object_metadata import ObjectMetadata
from truckstream.batcher.storing.redelivery import (
    Coverage,
    coverage_beyond_event,
    coverage_by_content,
    coverage_by_metadata,
)


def lines_of(*lines, first=0):
    sequences = [number(first + n) for n in range(len(lines))]
    return Lines(ARN, SHARD, sequences, [ARRIVAL] * len(lines), list(lines))


OURS = lines_of(b"a", b"b", None, b"d", b"e", b"f")


def test_metadata_of_the_same_group_covers_the_group():
    assert coverage_by_metadata(OURS, 0, ObjectMetadata.of(OURS, 0, 3)) == Coverage(3)


def test_metadata_with_another_end_covers_our_records_up_to_there():
    assert coverage_by_metadata(OURS, 1, ObjectMetadata.of(lines_of(b"b", None, first=1), 0, 2)) == Coverage(3)


def test_if_metadata_ends_after_our_event_the_content_must_be_read():
    longer = lines_of(b"a", b"b", None, b"d", b"e", b"f", b"g")
    assert coverage_by_metadata(OURS, 0, ObjectMetadata.of(longer, 0, 7)) == "read the content"


def test_sequence_numbers_are_compared_as_numbers():
    """They have one length in practice. As strings, "10" would come before "9"."""
    ours = Lines(ARN, SHARD, ["8", "9"], [ARRIVAL] * 2, [b"a", b"b"])
    longer = Lines(ARN, SHARD, ["8", "9", "10"], [ARRIVAL] * 3, [b"a", b"b", b"c"])
    assert coverage_by_metadata(ours, 0, ObjectMetadata.of(longer, 0, 3)) == "read the content"


def test_metadata_that_differs_in_any_field_is_a_collision():
    metadata = ObjectMetadata.of(OURS, 0, 3)
    others = [
        {"stream": "arn:other"},
        {"shard": "shardId-000000000009"},
        {"first": number(1)},
        {"layout": "0"},
        {"digest": "0" * 32},
        {"lines": "3"},
        {"last": str(int(number(0)) - 5)},
    ]
    assert [coverage_by_metadata(OURS, 0, msgspec.structs.replace(metadata, **other)) for other in others] == [
        None
    ] * len(others)


def test_metadata_with_a_last_record_that_our_event_lacks_is_a_collision():
    """An example is an event source mapping with a filter, which delivers only some of the records."""
    gappy = Lines(ARN, SHARD, [number(0), number(9)], [ARRIVAL] * 2, [b"a", b"b"])
    assert coverage_by_metadata(gappy, 0, ObjectMetadata.of(OURS, 0, 3)) is None


#: A record, and a pair with one number.
PAIR = Lines(ARN, SHARD, [number(0), number(1), number(1)], [ARRIVAL] * 3, [b"a", b"b", b"c"], Boundaries([0, 1, 3]))


def test_metadata_that_ends_with_a_repeated_number_covers_all_records_with_it():
    assert coverage_by_metadata(PAIR, 0, ObjectMetadata.of(PAIR, 0, 3)) == Coverage(3)
    more = Lines(ARN, SHARD, [*PAIR.sequences, number(2)], [ARRIVAL] * 4, [*PAIR.lines, b"d"], Boundaries([0, 1, 3, 4]))
    assert coverage_by_metadata(more, 0, ObjectMetadata.of(PAIR, 0, 3)) == Coverage(3)


def test_an_event_may_have_ended_between_two_records_with_one_number():
    assert coverage_by_metadata(PAIR, 0, ObjectMetadata.of(lines_of(b"a", b"b"), 0, 2)) == Coverage(2)
    assert coverage_by_metadata(lines_of(b"a", b"b"), 0, ObjectMetadata.of(PAIR, 0, 3)) == "read the content"


@pytest.mark.parametrize("other", [[b"a", b"x", b"c"], [b"a", b"b", b"x"], [b"x", b"b", b"c"], [b"a", b"c", b"b"]])
def test_other_records_of_the_same_numbers_are_a_collision(other):
    """Without the check the second of two different records with one number would count as stored and be lost."""
    assert coverage_by_metadata(PAIR, 0, ObjectMetadata.of(replace(PAIR, lines=other), 0, 3)) is None


@pytest.mark.parametrize("ours", [lines_of(b"x"), lines_of(b"x", b"b"), lines_of(b"x", None)])
def test_an_object_that_begins_with_another_record_of_our_first_number_is_a_collision(ours):
    """An event ended after the first of two records with one number, and the next began with the second."""
    assert coverage_by_metadata(ours, 0, ObjectMetadata.of(lines_of(b"a"), 0, 1)) is None
    assert coverage_by_content(ours, 0, 1, b"a\n") is None


def test_the_same_records_validated_differently_are_a_collision():
    """The schema changed: a record that was rejected is valid now and must not count as stored."""
    assert coverage_by_metadata(OURS, 0, ObjectMetadata.of(lines_of(b"a", None, None), 0, 3)) is None


def test_metadata_is_read_back_from_its_attributes():
    metadata = ObjectMetadata.of(OURS, 0, 3)
    assert ObjectMetadata.read({"Content-Type": "x", **metadata.attributes()}) == metadata
    assert ObjectMetadata.read({"Content-Type": "x"}) is None
    for name in ("last-sequence-number", "records"):
        assert ObjectMetadata.read(metadata.attributes() | {name: "x"}) is None


def test_content_equal_to_our_group_covers_the_group():
    """The record at index 2 has no line. It counts as part of the group, because our own group would include it."""
    assert coverage_by_content(OURS, 0, 3, b"a\nb\n") == Coverage(3)


def test_content_that_ends_earlier_covers_our_records_up_to_its_last_line():
    assert coverage_by_content(OURS, 0, 6, b"a\nb\n") == Coverage(2)


def test_content_that_ends_later_covers_our_records_up_to_its_last_line():
    assert coverage_by_content(OURS, 0, 3, b"a\nb\nd\n") == Coverage(4)


def test_content_may_go_on_beyond_our_event():
    assert coverage_by_content(OURS, 3, 6, b"d\ne\nf\ng\n") == Coverage(6, beyond_event=True)


def test_other_content_is_a_collision():
    for content in (b"", b"\n", b"a", b"a\nb", b"a\nx\n", b"x\n", b"a\nb\nd\ne\nf\ng"):
        assert coverage_by_content(OURS, 0, 3, content) is None


def test_equal_lines_are_counted():
    same = lines_of(b"a", b"a", b"a", b"a")
    assert coverage_by_content(same, 0, 4, b"a\na\n") == Coverage(2)


#: A single record, an aggregate of three user records of which the last is rejected, and an aggregate of two.
WITH_AGGREGATES = Lines(
    ARN,
    SHARD,
    [number(0), number(1), number(1), number(1), number(2), number(2)],
    [ARRIVAL] * 6,
    [b"a", b"b", b"c", None, b"e", b"f"],
    Boundaries([0, 1, 4, 6]),
    [None, 0, 1, 2, 0, 1],
)


def test_metadata_that_ends_with_an_aggregate_covers_all_of_it():
    assert coverage_by_metadata(WITH_AGGREGATES, 0, ObjectMetadata.of(WITH_AGGREGATES, 0, 4)) == Coverage(4)
    assert coverage_by_metadata(WITH_AGGREGATES, 1, ObjectMetadata.of(WITH_AGGREGATES, 1, 6)) == Coverage(6)


def test_an_aggregate_validated_differently_is_a_collision():
    """The aggregate has as many lines as ours, but of other user records."""
    other = replace(WITH_AGGREGATES, lines=[b"a", b"b", None, b"d", b"e", b"f"])
    assert coverage_by_metadata(WITH_AGGREGATES, 0, ObjectMetadata.of(other, 0, 4)) is None


def test_content_that_ends_with_the_last_line_of_an_aggregate_covers_all_of_it():
    assert coverage_by_content(WITH_AGGREGATES, 0, 6, b"a\nb\nc\n") == Coverage(4)


def test_content_that_ends_inside_an_aggregate_is_a_collision():
    assert coverage_by_content(WITH_AGGREGATES, 0, 6, b"a\nb\n") is None
    assert coverage_by_content(WITH_AGGREGATES, 0, 4, b"a\nb\nc\ne\n") is None


def test_an_object_may_go_on_beyond_our_event_without_another_line():
    """Its metadata covers a rejected record that our event lacks. That record's line is in the rejected object."""
    ours = lines_of(b"a", b"b")
    longer = lines_of(b"a", b"b", None)
    assert coverage_by_metadata(ours, 0, ObjectMetadata.of(longer, 0, 3)) == "read the content"
    assert coverage_beyond_event(ours, 0, longer.encode(0, 3)) == Coverage(2, beyond_event=True)


def test_an_object_that_goes_on_but_has_other_lines_is_a_collision():
    ours = lines_of(b"a", b"b")
    assert coverage_beyond_event(ours, 0, b"a\nx\nc\n") is None
    assert coverage_beyond_event(ours, 0, b"a\n") is None
    assert coverage_beyond_event(ours, 0, b"a\nb") is None
