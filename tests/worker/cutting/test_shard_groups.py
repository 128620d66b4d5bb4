"""Waves: which groups are announced together, and when the next one is due."""

import pytest

from tests.batcher.support import number
from tests.worker.support import BEGINNING, aggregated, many, stored
from truckstream.consumer.leases.lease import Checkpoint, PendingCheckpoint
from truckstream.worker.cutting.announced_groups import encode_counts
from truckstream.worker.cutting.group_cutter import CutLimits
from truckstream.worker.cutting.shard_groups import MOST_GROUPS, WAVE_SECONDS, ShardGroups

LIMITS = CutLimits(records=4, bytes=1000, wait=60.0)


def groups_of(pending=None, limits=LIMITS):
    return ShardGroups(limits, BEGINNING, pending)


def sizes(wave):
    return wave and [len(group.records) for group in wave.groups]


def test_full_groups_that_wait_make_the_first_wave_at_once():
    groups = groups_of()
    assert (groups.next_wave(0.0), groups.due_time) == (None, None)
    groups.add(many(9), 0.0)
    wave = groups.next_wave(0.0)
    assert (sizes(wave), wave.end, wave.records, wave.is_announced) == ([4, 4], Checkpoint(number(7)), 8, False)
    assert wave.note == encode_counts([4, 4])
    assert groups.next_wave(59.9) is None
    assert groups.due_time == 60.0
    assert sizes(groups.next_wave(60.0)) == [1]


def test_the_next_wave_waits_so_that_the_lease_table_is_written_rarely():
    groups = groups_of()
    groups.add(many(4), 0.0)
    assert sizes(groups.next_wave(0.0)) == [4]
    groups.add(many(8, 4), 1.0)
    assert groups.next_wave(4.9) is None
    assert groups.due_time == WAVE_SECONDS == 5.0
    assert sizes(groups.next_wave(5.0)) == [4, 4]


@pytest.mark.parametrize(
    "records",
    [many(4 * MOST_GROUPS, 4), [stored(n, b"x" * 500) for n in range(4, 6)]],
    ids=["records", "bytes"],
)
def test_a_wave_that_is_full_does_not_wait(records):
    groups = groups_of()
    groups.add(many(4), 0.0)
    groups.next_wave(0.0)
    groups.add(records[:-1], 1.0)
    assert (groups.is_full, groups.next_wave(1.0)) == (False, None)
    groups.add(records[-1:], 1.0)
    assert groups.is_full
    assert groups.next_wave(1.0) is not None
    assert not groups.is_full


def test_a_wave_has_limits():
    groups = groups_of()
    groups.add(many(4 * MOST_GROUPS + 4), 0.0)
    assert sizes(groups.next_wave(0.0)) == [4] * MOST_GROUPS
    groups = groups_of()
    groups.add([stored(n, b"x" * 300) for n in range(12)], 0.0)
    assert sizes(groups.next_wave(0.0)) == [4]  # 1,200 bytes


def test_the_rest_that_has_waited_ends_a_wave():
    groups = groups_of()
    groups.add(many(6), 0.0)
    assert sizes(groups.next_wave(60.0)) == [4, 2]


def test_the_rest_of_an_aggregate_is_due_at_once():
    groups = groups_of()
    groups.add(aggregated(0, 3)[1:], 0.0)
    assert sizes(groups.next_wave(0.0)) == [2]


def test_at_the_end_everything_is_due():
    groups = groups_of()
    groups.add(many(4), 0.0)
    groups.next_wave(0.0)
    groups.add(many(6, 4), 1.0)
    groups.end(of_shard=False)
    assert sizes(groups.next_wave(1.0)) == [4, 2]
    assert groups.next_wave(1.0) is None


def test_announced_groups_come_first_and_alone():
    groups = groups_of(PendingCheckpoint(Checkpoint(number(4)), encode_counts([2, 3])))
    groups.add(many(3), 0.0)
    assert (groups.next_wave(1000.0), groups.due_time, len(groups)) == (None, None, 3)
    groups.add(many(9, 3), 1.0)
    wave = groups.next_wave(1.0)
    assert (sizes(wave), wave.is_announced, len(groups)) == ([2, 3], True, 7)
    assert sizes(groups.next_wave(1.0)) == [4]
    assert groups.take_problems() == []


def test_the_end_of_the_shard_completes_an_announcement():
    groups = groups_of(PendingCheckpoint(Checkpoint(number(4)), encode_counts([2, 3])))
    groups.add(many(3), 0.0)
    groups.end(of_shard=False)
    assert groups.next_wave(0.0) is None
    groups.end(of_shard=True)
    assert sizes(groups.next_wave(0.0)) == [3]
    [problem] = groups.take_problems()
    assert problem.is_loss
    assert groups.take_problems() == []


def test_an_announcement_that_the_checkpoint_has_reached_is_complete():
    end = Checkpoint(number(4))
    groups = ShardGroups(LIMITS, end, PendingCheckpoint(end, encode_counts([2, 3])))
    groups.add(many(4, 5), 0.0)
    assert sizes(groups.next_wave(0.0)) == [4]
    assert groups.take_problems() == []
