"""Which leases must exist, and which may go."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.consumer.leases.lease import AT_TIMESTAMP, LATEST, SHARD_END, TRIM_HORIZON, Checkpoint, Lease
from truckstream.consumer.leases.options import LeaseOptions
from truckstream.consumer.leases.shard_sync import (
    child_lease,
    has_hole,
    missing_leases,
    parents_without_lease,
    removable_leases,
)
from truckstream.kinesis.limits import MAX_HASH_KEY
from truckstream.kinesis.reading.shard_record import ChildShard
from truckstream.kinesis.shard_map import Shard

ALL, LOW, HIGH = (0, MAX_HASH_KEY), (0, 2**127 - 1), (2**127, MAX_HASH_KEY)
OLDEST, TIP = LeaseOptions(start=TRIM_HORIZON), LeaseOptions(start=LATEST)
NOON = LeaseOptions(start=dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC))

#: One shard, split, merged and split again.
SHARDS = [
    Shard("s0", *ALL, is_open=False),
    Shard("s1", *LOW, is_open=False, parent_ids=("s0",)),
    Shard("s2", *HIGH, is_open=False, parent_ids=("s0",)),
    Shard("s3", *ALL, is_open=False, parent_ids=("s1", "s2")),
    Shard("s4", *LOW, parent_ids=("s3",)),
    Shard("s5", *HIGH, parent_ids=("s3",)),
]


def lease(number, checkpoint="100", hash_range="known", **fields):
    shard = SHARDS[number]
    known = (shard.starting_hash_key, shard.ending_hash_key)
    return Lease(
        key=shard.shard_id,
        shard_id=shard.shard_id,
        checkpoint=Checkpoint(checkpoint),
        parent_ids=shard.parent_ids,
        hash_range=known if hash_range == "known" else hash_range,
        **fields,
    )


def missing(shards, leases, options):
    return {each.shard_id: each.checkpoint.sequence_number for each in missing_leases(None, shards, leases, options)}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (OLDEST, dict.fromkeys(["s0", "s1", "s2", "s3", "s4", "s5"], TRIM_HORIZON)),
        (NOON, dict.fromkeys(["s0", "s1", "s2", "s3", "s4", "s5"], AT_TIMESTAMP)),
        (TIP, {"s4": LATEST, "s5": LATEST}),
    ],
    ids=["TRIM_HORIZON", "AT_TIMESTAMP", "LATEST"],
)
def test_a_new_application_gets_the_leases_of_its_start(options, expected):
    assert missing(SHARDS, [], options) == expected


@pytest.mark.parametrize("options", [OLDEST, TIP, NOON])
def test_a_bootstrap_goes_on_where_it_was_interrupted(options):
    """Whatever number of leases was created, any worker creates the others, and a further one nothing."""
    wanted = missing_leases(None, SHARDS, [], options)
    for created in range(1, len(wanted) + 1):
        rest = missing(SHARDS, wanted[:created], options)
        assert set(rest) == {each.shard_id for each in wanted[created:]}


def test_parents_are_created_before_their_children():
    order = [each.shard_id for each in missing_leases(None, SHARDS[::-1], [], OLDEST)]
    assert [order.index(name) for name in ("s0", "s3", "s4")] == sorted(
        order.index(name) for name in ("s0", "s3", "s4")
    )
    assert order.index("s2") < order.index("s3")


@pytest.mark.parametrize("options", [OLDEST, TIP])
def test_shards_after_one_that_was_read_begin_at_their_oldest_record(options):
    leases = [lease(1), lease(2, SHARD_END)]
    assert missing(SHARDS, leases, options) == {"s3": TRIM_HORIZON, "s4": TRIM_HORIZON, "s5": TRIM_HORIZON}


def test_shards_after_one_that_was_read_begin_at_the_start_if_that_is_a_time():
    assert missing(SHARDS, [lease(3)], NOON) == {"s4": AT_TIMESTAMP, "s5": AT_TIMESTAMP}


@pytest.mark.parametrize("options", [OLDEST, TIP])
@pytest.mark.parametrize("hash_range", ["known", None], ids=["known range", "unknown range"])
def test_nothing_is_skipped_after_a_stop_that_outlasted_retention(options, hash_range):
    """The shards between the application's last one and the oldest that is listed have expired."""
    leases = [lease(0, hash_range=hash_range)]
    assert missing(SHARDS[3:], leases, options) == dict.fromkeys(["s3", "s4", "s5"], TRIM_HORIZON)


def test_only_the_part_of_the_hash_range_with_a_history_is_read_from_its_oldest_record():
    assert missing(SHARDS[4:], [lease(1)], TIP) == {"s4": TRIM_HORIZON, "s5": LATEST}


@pytest.mark.parametrize("options", [OLDEST, TIP, NOON])
def test_ancestors_of_a_shard_with_a_lease_are_settled(options):
    """Their leases were deleted after their end, or never created with LATEST."""
    assert missing(SHARDS, [lease(4), lease(5)], options) == {}


def test_a_lease_of_a_shard_that_is_not_listed_yet_settles_its_ancestors():
    assert missing(SHARDS[:4], [lease(4), lease(5)], OLDEST) == {}


def test_a_deleted_lease_of_an_open_shard_is_created_again():
    assert missing(SHARDS, [lease(4)], OLDEST) == {"s5": TRIM_HORIZON}
    assert missing(SHARDS, [lease(3, SHARD_END), lease(4)], TIP) == {"s5": TRIM_HORIZON}


def test_an_empty_listing_changes_nothing():
    assert missing([], [lease(0)], OLDEST) == {}
    assert removable_leases(None, [], [lease(0)]) == []


def test_leases_of_other_streams_count_for_nothing():
    stream = "1:trucks:2"
    other = replace(lease(4), stream="1:other:2", key="1:other:2:s4")
    found = missing_leases(stream, SHARDS, [other], TIP)
    assert [(each.key, each.stream, each.shard_id) for each in found] == [
        ("1:trucks:2:s4", stream, "s4"),
        ("1:trucks:2:s5", stream, "s5"),
    ]


def test_an_ended_lease_goes_when_all_its_children_have_begun():
    ended = lease(3, SHARD_END, child_ids=("s4", "s5"))
    assert removable_leases(None, SHARDS, [ended, lease(4), lease(5)]) == [ended]
    assert removable_leases(None, SHARDS, [ended, lease(4), lease(5, SHARD_END)]) == [ended]
    for checkpoint in (TRIM_HORIZON, LATEST, AT_TIMESTAMP):
        assert removable_leases(None, SHARDS, [ended, lease(4), lease(5, checkpoint)]) == []
    assert removable_leases(None, SHARDS, [ended, lease(4)]) == []


def test_an_ended_lease_stays_while_its_shard_is_the_last():
    assert removable_leases(None, SHARDS[:1], [lease(0, SHARD_END)]) == []


def test_the_children_of_an_ended_shard_are_also_taken_from_the_listing():
    ended = lease(3, SHARD_END)
    assert removable_leases(None, SHARDS, [ended, lease(4), lease(5, TRIM_HORIZON)]) == []
    assert removable_leases(None, SHARDS, [ended, lease(4), lease(5)]) == [ended]


def test_an_ended_lease_goes_after_those_of_its_parents():
    grandparents = [lease(1, SHARD_END), lease(2, SHARD_END)]
    rest = [lease(3, SHARD_END), lease(4), lease(5)]
    assert removable_leases(None, SHARDS, grandparents + rest) == grandparents
    assert removable_leases(None, SHARDS, rest) == rest[:1]


def test_a_lease_whose_shard_has_expired_goes():
    expired = lease(0)
    assert removable_leases(None, SHARDS[3:], [expired, lease(3)]) == [expired]


def test_a_lease_that_is_newer_than_the_listing_stays():
    assert removable_leases(None, [replace(SHARDS[3], is_open=True)], [lease(4), lease(5)]) == []


def test_no_lease_goes_after_a_listing_with_a_gap():
    assert removable_leases(None, SHARDS[3:5], [lease(0)]) == []


def test_a_child_waits_for_a_parent_that_must_get_its_lease_first():
    child = ChildShard(shard_id="s3", parent_ids=("s1", "s2"), starting_hash_key=0, ending_hash_key=MAX_HASH_KEY)
    leases = {"s1": lease(1)}
    assert parents_without_lease([child], leases, None) == {"s2"}
    assert parents_without_lease([child], leases | {"s2": lease(2)}, None) == set()
    assert parents_without_lease([child], leases | {"s3": lease(3)}, None) == set()


def test_with_several_streams_only_leases_of_the_childs_stream_count():
    child = ChildShard(shard_id="s3", parent_ids=("s1", "s2"), starting_hash_key=0, ending_hash_key=MAX_HASH_KEY)
    leases = {"1:trucks:2:s1": lease(1), "1:buses:2:s2": lease(2), "1:buses:2:s3": lease(3)}
    assert parents_without_lease([child], leases, "1:trucks:2") == {"s2"}
    assert parents_without_lease([child], leases, "1:buses:2") == set()


def test_the_lease_of_a_child_names_its_stream_and_begins_with_its_first_record():
    child = ChildShard(shard_id="s3", parent_ids=("s1", "s2"), starting_hash_key=0, ending_hash_key=MAX_HASH_KEY)
    made = child_lease("1:trucks:2", child, TIP)
    assert (made.key, made.shard_id, made.stream) == ("1:trucks:2:s3", "s3", "1:trucks:2")
    assert (made.parent_ids, made.hash_range) == (("s1", "s2"), ALL)
    assert (made.checkpoint, made.owner, made.counter) == (Checkpoint(TRIM_HORIZON), None, 0)


@pytest.mark.parametrize(
    ("leases", "hole"),
    [
        ([], True),
        ([lease(0)], False),
        ([lease(1), lease(2)], False),
        ([lease(1)], True),
        ([lease(2)], True),
        ([lease(1), lease(2, SHARD_END)], True),
        ([lease(1), lease(2), lease(3)], False),
        ([lease(1, hash_range=None)], False),
    ],
)
def test_a_hole_in_the_hash_range(leases, hole):
    assert has_hole(None, leases) is hole


# --- Any history of a stream -------------------------------------------------------------------------


@st.composite
def reshards(draw):
    """The shards of a stream after some splits and merges."""
    shards = {"s00": Shard("s00", *ALL)}
    for _ in range(draw(st.integers(0, 12))):
        live = sorted((shard for shard in shards.values() if shard.is_open), key=lambda shard: shard.starting_hash_key)
        index = draw(st.integers(0, len(live) - 1))
        one, other = live[index], live[(index + 1) % len(live)]
        names = [f"s{len(shards):02d}", f"s{len(shards) + 1:02d}"]
        shards[one.shard_id] = replace(one, is_open=False)
        if draw(st.booleans()) and one.ending_hash_key + 1 == other.starting_hash_key:
            shards[other.shard_id] = replace(other, is_open=False)
            both = (one.shard_id, other.shard_id)
            shards[names[0]] = Shard(names[0], one.starting_hash_key, other.ending_hash_key, parent_ids=both)
        else:
            middle = (one.starting_hash_key + one.ending_hash_key) // 2
            parent = (one.shard_id,)
            shards[names[0]] = Shard(names[0], one.starting_hash_key, middle, parent_ids=parent)
            shards[names[1]] = Shard(names[1], middle + 1, one.ending_hash_key, parent_ids=parent)
    return list(shards.values())


@given(shards=reshards(), start=st.sampled_from([OLDEST, TIP, NOON]), data=st.data())
def test_workers_with_any_listing_and_any_interruption_leave_no_hole_and_forget_no_shard(shards, start, data):
    """A worker creates some leases, shards end, expire and go, and in the end the whole hash range is read."""
    known = {each.key: each for each in missing_leases(None, shards, [], start)}
    read = {name for name in known if data.draw(st.booleans(), label=f"{name} is read")}
    closed = {shard.shard_id for shard in shards if not shard.is_open}
    for name in sorted(read & closed):
        if all(parent in read or parent not in known for parent in known[name].parent_ids):
            known[name] = replace(known[name], checkpoint=Checkpoint(SHARD_END))
    for _ in range(5):
        for gone in removable_leases(None, shards, known.values()):
            children = [shard.shard_id for shard in shards if gone.shard_id in shard.parent_ids]
            assert gone.checkpoint.is_ended
            assert all(child in known for child in children)
            del known[gone.key]
        assert missing_leases(None, shards, known.values(), start) == []
    assert not has_hole(None, known.values())
