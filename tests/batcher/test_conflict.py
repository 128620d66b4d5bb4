"""An object lies where ours should: whose is it?"""

from dataclasses import replace

from tests.batcher.support import ARN, ARRIVAL, SHARD, number
from truckstream.batcher.grouping.edges import Edges
from truckstream.batcher.grouping.lines import Claim, Strand
from truckstream.batcher.storing.redelivery import Held, judge_claim, judge_content, judge_open


def strand(*lines, first=0):
    sequences = [number(first + n) for n in range(len(lines))]
    return Strand(ARN, SHARD, sequences, [ARRIVAL] * len(lines), list(lines))


OURS = strand(b"a", b"b", None, b"d", b"e", b"f")


def test_a_claim_of_the_same_group_is_the_group():
    assert judge_claim(OURS, 0, OURS.claim(0, 3)) == Held(3)


def test_a_claim_that_ends_elsewhere_is_adopted_up_to_its_end():
    assert judge_claim(OURS, 1, strand(b"b", None, first=1).claim(0, 2)) == Held(3)


def test_a_claim_that_goes_on_after_us_must_be_read():
    longer = strand(b"a", b"b", None, b"d", b"e", b"f", b"g")
    assert judge_claim(OURS, 0, longer.claim(0, 7)) == "read"


def test_claims_of_others_are_collisions():
    claim = OURS.claim(0, 3)
    others = [
        {"stream": "arn:other"},
        {"shard": "shardId-000000000009"},
        {"first": number(1)},
        {"layout": "0"},
        {"digest": "0" * 32},
        {"lines": "3"},
        {"last": str(int(number(0)) - 5)},
    ]
    assert [judge_claim(OURS, 0, replace(claim, **other)) for other in others] == [None] * len(others)


def test_a_claim_whose_last_record_we_do_not_have_is_a_collision():
    """Such as of a mapping that filters: it has not seen the same records."""
    gappy = Strand(ARN, SHARD, [number(0), number(9)], [ARRIVAL] * 2, [b"a", b"b"])
    assert judge_claim(gappy, 0, OURS.claim(0, 3)) is None


def test_another_judgement_of_the_same_records_is_a_collision():
    """A changed schema: what was refused is valid now, and must not pass for stored."""
    assert judge_claim(OURS, 0, strand(b"a", None, None).claim(0, 3)) is None


def test_metadata_survives_the_way_through_a_store():
    claim = OURS.claim(0, 3)
    assert Claim.from_metadata({"Content-Type": "x", **claim.to_metadata()}) == claim
    assert Claim.from_metadata({"Content-Type": "x"}) is None
    assert Claim.from_metadata(claim.to_metadata() | {"last-sequence-number": "x"}) is None


def test_content_that_is_ours_is_the_group():
    """The record without a line at index 2 is taken for the group's, as we would have made it."""
    assert judge_content(OURS, 0, 3, b"a\nb\n") == Held(3)


def test_content_that_ends_earlier_is_adopted_up_to_its_last_line():
    assert judge_content(OURS, 0, 6, b"a\nb\n") == Held(2)


def test_content_that_ends_later_is_adopted_up_to_its_last_line():
    assert judge_content(OURS, 0, 3, b"a\nb\nd\n") == Held(4)


def test_content_that_goes_on_after_us_is_open():
    assert judge_content(OURS, 3, 6, b"d\ne\nf\ng\n") == Held(6, open=True)


def test_other_content_is_a_collision():
    for content in (b"", b"\n", b"a", b"a\nb", b"a\nx\n", b"x\n", b"a\nb\nd\ne\nf\ng"):
        assert judge_content(OURS, 0, 3, content) is None


def test_equal_lines_are_counted_not_compared():
    same = strand(b"a", b"a", b"a", b"a")
    assert judge_content(same, 0, 4, b"a\na\n") == Held(2)


#: A record that came alone, an aggregate of three whose last is refused, and another of two.
APART = Strand(
    ARN,
    SHARD,
    [number(0), number(1), number(1), number(1), number(2), number(2)],
    [ARRIVAL] * 6,
    [b"a", b"b", b"c", None, b"e", b"f"],
    Edges([0, 1, 4, 6]),
    [None, 0, 1, 2, 0, 1],
)


def test_a_claim_that_ends_with_an_aggregate_covers_all_of_it():
    assert judge_claim(APART, 0, APART.claim(0, 4)) == Held(4)
    assert judge_claim(APART, 1, APART.claim(1, 6)) == Held(6)


def test_another_judgement_within_an_aggregate_is_a_collision():
    """As many lines of the same sequence number, and others of its user records."""
    other = replace(APART, lines=[b"a", b"b", None, b"d", b"e", b"f"])
    assert judge_claim(APART, 0, other.claim(0, 4)) is None


def test_content_that_ends_with_an_aggregates_last_valid_record_covers_all_of_it():
    assert judge_content(APART, 0, 6, b"a\nb\nc\n") == Held(4)


def test_content_that_ends_inside_an_aggregate_is_anothers():
    assert judge_content(APART, 0, 6, b"a\nb\n") is None
    assert judge_content(APART, 0, 4, b"a\nb\nc\ne\n") is None


def test_an_object_that_goes_on_is_open_even_if_it_has_no_line_more():
    """Its claim covers a refused record that this delivery does not have, and that lies in the other object."""
    ours = strand(b"a", b"b")
    longer = strand(b"a", b"b", None)
    assert judge_claim(ours, 0, longer.claim(0, 3)) == "read"
    assert judge_open(ours, 0, longer.body(0, 3)) == Held(2, open=True)


def test_an_object_that_says_to_go_on_and_has_other_lines_is_a_collision():
    ours = strand(b"a", b"b")
    assert judge_open(ours, 0, b"a\nx\nc\n") is None
    assert judge_open(ours, 0, b"a\n") is None
    assert judge_open(ours, 0, b"a\nb") is None
