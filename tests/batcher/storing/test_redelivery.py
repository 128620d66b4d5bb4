"""An object lies where ours should: whose is it?"""

from dataclasses import replace

import msgspec

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


def test_metadata_of_the_same_group_is_the_group():
    assert coverage_by_metadata(OURS, 0, ObjectMetadata.of(OURS, 0, 3)) == Coverage(3)


def test_metadata_that_ends_elsewhere_is_adopted_up_to_its_end():
    assert coverage_by_metadata(OURS, 1, ObjectMetadata.of(lines_of(b"b", None, first=1), 0, 2)) == Coverage(3)


def test_metadata_that_goes_on_after_us_must_be_read():
    longer = lines_of(b"a", b"b", None, b"d", b"e", b"f", b"g")
    assert coverage_by_metadata(OURS, 0, ObjectMetadata.of(longer, 0, 7)) == "read the content"


def test_metadatas_of_others_are_collisions():
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


def test_metadata_whose_last_record_we_do_not_have_is_a_collision():
    """Such as of a mapping that filters: it has not seen the same records."""
    gappy = Lines(ARN, SHARD, [number(0), number(9)], [ARRIVAL] * 2, [b"a", b"b"])
    assert coverage_by_metadata(gappy, 0, ObjectMetadata.of(OURS, 0, 3)) is None


def test_another_judgement_of_the_same_records_is_a_collision():
    """A changed schema: what was refused is valid now, and must not pass for stored."""
    assert coverage_by_metadata(OURS, 0, ObjectMetadata.of(lines_of(b"a", None, None), 0, 3)) is None


def test_metadata_survives_the_way_through_a_store():
    metadata = ObjectMetadata.of(OURS, 0, 3)
    assert ObjectMetadata.read({"Content-Type": "x", **metadata.attributes()}) == metadata
    assert ObjectMetadata.read({"Content-Type": "x"}) is None
    assert ObjectMetadata.read(metadata.attributes() | {"last-sequence-number": "x"}) is None


def test_content_that_is_ours_is_the_group():
    """The record without a line at index 2 is taken for the group's, as we would have made it."""
    assert coverage_by_content(OURS, 0, 3, b"a\nb\n") == Coverage(3)


def test_content_that_ends_earlier_is_adopted_up_to_its_last_line():
    assert coverage_by_content(OURS, 0, 6, b"a\nb\n") == Coverage(2)


def test_content_that_ends_later_is_adopted_up_to_its_last_line():
    assert coverage_by_content(OURS, 0, 3, b"a\nb\nd\n") == Coverage(4)


def test_content_that_goes_on_after_us_is_open():
    assert coverage_by_content(OURS, 3, 6, b"d\ne\nf\ng\n") == Coverage(6, beyond_event=True)


def test_other_content_is_a_collision():
    for content in (b"", b"\n", b"a", b"a\nb", b"a\nx\n", b"x\n", b"a\nb\nd\ne\nf\ng"):
        assert coverage_by_content(OURS, 0, 3, content) is None


def test_equal_lines_are_counted_not_compared():
    same = lines_of(b"a", b"a", b"a", b"a")
    assert coverage_by_content(same, 0, 4, b"a\na\n") == Coverage(2)


#: A record that came alone, an aggregate of three whose last is refused, and another of two.
APART = Lines(
    ARN,
    SHARD,
    [number(0), number(1), number(1), number(1), number(2), number(2)],
    [ARRIVAL] * 6,
    [b"a", b"b", b"c", None, b"e", b"f"],
    Boundaries([0, 1, 4, 6]),
    [None, 0, 1, 2, 0, 1],
)


def test_metadata_that_ends_with_an_aggregate_covers_all_of_it():
    assert coverage_by_metadata(APART, 0, ObjectMetadata.of(APART, 0, 4)) == Coverage(4)
    assert coverage_by_metadata(APART, 1, ObjectMetadata.of(APART, 1, 6)) == Coverage(6)


def test_another_judgement_within_an_aggregate_is_a_collision():
    """As many lines of the same sequence number, and others of its user records."""
    other = replace(APART, lines=[b"a", b"b", None, b"d", b"e", b"f"])
    assert coverage_by_metadata(APART, 0, ObjectMetadata.of(other, 0, 4)) is None


def test_content_that_ends_with_an_aggregates_last_valid_record_covers_all_of_it():
    assert coverage_by_content(APART, 0, 6, b"a\nb\nc\n") == Coverage(4)


def test_content_that_ends_inside_an_aggregate_is_anothers():
    assert coverage_by_content(APART, 0, 6, b"a\nb\n") is None
    assert coverage_by_content(APART, 0, 4, b"a\nb\nc\ne\n") is None


def test_an_object_that_goes_on_is_open_even_if_it_has_no_line_more():
    """Its metadata covers a refused record that this delivery does not have, and that lies in the other object."""
    ours = lines_of(b"a", b"b")
    longer = lines_of(b"a", b"b", None)
    assert coverage_by_metadata(ours, 0, ObjectMetadata.of(longer, 0, 3)) == "read the content"
    assert coverage_beyond_event(ours, 0, longer.encode(0, 3)) == Coverage(2, beyond_event=True)


def test_an_object_that_says_to_go_on_and_has_other_lines_is_a_collision():
    ours = lines_of(b"a", b"b")
    assert coverage_beyond_event(ours, 0, b"a\nx\nc\n") is None
    assert coverage_beyond_event(ours, 0, b"a\n") is None
    assert coverage_beyond_event(ours, 0, b"a\nb") is None
