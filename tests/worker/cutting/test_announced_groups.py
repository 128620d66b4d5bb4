"""The note of announced groups is short, versioned and checked; its cuts are made again from the end."""

import pytest

from tests.batcher.support import number
from tests.worker.support import aggregated, many
from truckstream.consumer.leases.lease import Checkpoint, PendingCheckpoint
from truckstream.errors import UsageError
from truckstream.worker.cutting.announced_groups import AnnouncedGroups, decode_counts, encode_counts


def test_the_note_is_read_back():
    assert encode_counts([700, 700, 12]) == b"truckstream.worker/1 700,700,12"
    assert decode_counts(encode_counts([700, 700, 12])) == [700, 700, 12]


def test_the_longest_note_fits_a_unit_of_the_table():
    assert len(encode_counts([10_000] * 16)) < 120


@pytest.mark.parametrize("note", [b"", b"java", b"700,700", b"my truckstream.worker/1 3"])
def test_a_note_of_another_program_is_none_of_ours(note):
    assert decode_counts(note) is None
    assert AnnouncedGroups.of(PendingCheckpoint(Checkpoint("1"), note)) is None


@pytest.mark.parametrize("note", [b"truckstream.worker/2 3", b"truckstream.worker/1 ", b"truckstream.worker/1 3,0"])
def test_a_note_that_cannot_be_read_is_refused(note):
    with pytest.raises(UsageError, match="this version of truckstream reads version 1"):
        decode_counts(note)


def test_nothing_announced():
    assert AnnouncedGroups.of(None) is None


def cut(announced):
    return [len(group.records) for group in announced.groups()]


def test_it_is_complete_with_its_last_record():
    announced = AnnouncedGroups(Checkpoint(number(4)), [2, 3])
    assert announced.add(many(4)) == []
    assert (announced.is_complete, announced.missing) == (False, 1)
    assert announced.add(many(1, 4)) == []
    assert (announced.is_complete, announced.missing) == (True, 0)
    assert cut(announced) == [2, 3]
    assert announced.groups()[0].end == Checkpoint(number(1))


def test_records_after_the_end_are_returned():
    announced = AnnouncedGroups(Checkpoint(number(2), 1), [2, 2])
    assert announced.add([*many(2), *aggregated(2, 4)]) == aggregated(2, 4)[2:]
    assert announced.is_complete
    assert cut(announced) == [2, 2]


def test_later_records_show_that_the_others_are_gone():
    announced = AnnouncedGroups(Checkpoint(number(4)), [2, 3])
    assert announced.add(many(2, 7)) == many(2, 7)
    assert (announced.is_complete, announced.missing, cut(announced)) == (True, 5, [])


@pytest.mark.parametrize(("first", "expected"), [(1, [1, 2, 3]), (2, [2, 3]), (6, [1])])
def test_counts_are_applied_from_the_end(first, expected):
    announced = AnnouncedGroups(Checkpoint(number(6)), [2, 2, 3])
    announced.add(many(7 - first, first))
    assert cut(announced) == expected
