"""The lines of an event: counted, measured and encoded between two indices."""

from tests.batcher.support import ARN, ARRIVAL, SHARD
from truckstream.batcher.grouping.boundaries import Boundaries
from truckstream.batcher.grouping.lines import Lines


class PlacesFormat:
    """Writes each line behind its record's place, as a format with such columns does."""

    def encode(self, lines, places):
        rows = zip(places.numbers(), places.arrivals, lines, strict=True)
        return b"".join(b"%s=%s;" % (f"{places.shard[-1]}/{number}@{at:g}".encode(), line) for number, at, line in rows)

    text = encode


#: A record without a line between records with one.
GAPPY = Lines(
    ARN,
    SHARD,
    ["10", "11", "12", "13", "14"],
    [1.0, 2.0, 3.0, 4.0, 5.0],
    [b"a", b"bb", None, b"dddd", b""],
    format=PlacesFormat(),
)


def test_lines_are_counted_between_two_indices():
    """An event whose size decides about a PUT must count no records outside of the group."""
    assert [GAPPY.count(*group) for group in [(0, 5), (1, 3), (1, 4), (2, 3), (3, 5)]] == [4, 1, 2, 0, 2]


def test_the_size_of_lines_includes_their_ends():
    """The bound for bytes in flight counts the bytes of the objects."""
    assert [GAPPY.size(*group) for group in [(0, 2), (1, 4), (2, 3), (3, 5)]] == [5, 8, 0, 6]


def test_a_format_gets_each_line_with_the_place_of_its_record():
    assert GAPPY.encode(1, 4) == b"0/11@2=bb;0/13@4=dddd;"
    assert GAPPY.text(0, 4) == b"0/10@1=a;0/11@2=bb;0/13@4=dddd;"


def test_records_of_aggregates_are_numbered_by_their_position_too():
    lines = Lines(
        ARN,
        SHARD,
        ["10", "11", "11", "12"],
        [ARRIVAL] * 4,
        [b"a", b"b", None, b"d"],
        Boundaries([0, 1, 3, 4]),
        [None, 0, 1, None],
    )
    assert lines.places(0, 4).numbers() == ["10", "11:0", "12"]
