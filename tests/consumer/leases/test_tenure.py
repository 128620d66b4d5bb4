"""A tenure's clock: when to write, and when it is over."""

from dataclasses import replace

import pytest

from truckstream.consumer.leases.lease import SHARD_END, Checkpoint, Lease, PendingCheckpoint
from truckstream.consumer.leases.lease_changes import (
    announced,
    asked_for,
    ended,
    handed_back,
    released,
    renewed,
    saved,
    taken,
    withdrawn,
)
from truckstream.consumer.leases.options import LeaseOptions
from truckstream.consumer.leases.tenure import Tenure

LEASE = Lease(key="s0", shard_id="s0", owner="me", counter=7, checkpoint=Checkpoint("5"), owner_switches=2)
PENDING = PendingCheckpoint(Checkpoint("9"), b"700")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tenure(clock):
    """A tenure whose lease was taken at 0."""
    return Tenure(LEASE, LeaseOptions(lease_duration=12, checkpoint_interval=3), sent_at=0.0, clock=clock)


def test_a_tenure_begins_with_the_shard_and_the_work_of_its_lease(clock):
    lease = replace(LEASE, key="1:trucks:5:s0", stream="1:trucks:5", hash_range=(3, 9), pending=PENDING)
    tenure = Tenure(lease, LeaseOptions(), sent_at=0.0, clock=clock)
    assert (tenure.key, tenure.stream, tenure.shard_id) == ("1:trucks:5:s0", "1:trucks:5", "s0")
    assert (tenure.start, tenure.pending, tenure.hash_range) == (Checkpoint("5"), PENDING, (3, 9))


def test_a_tenure_is_over_by_its_own_clock(tenure, clock):
    clock.now = 11.9
    assert tenure.is_held
    clock.now = 12.0
    assert not tenure.is_held


def test_a_write_counts_from_the_time_when_it_was_sent(tenure, clock):
    clock.now = 9.0
    tenure.written(renewed(LEASE), sent_at=4.0, noted=None)
    assert (tenure.expires_at, tenure.next_write_at) == (16.0, 8.0)


def test_its_text_shows_its_state(tenure):
    assert repr(tenure) == "<Tenure of s0: held, from 5>"
    tenure.is_wanted = True
    assert repr(tenure) == "<Tenure of s0: wanted, from 5>"
    tenure.end()
    assert repr(tenure) == "<Tenure of s0: over, from 5>"


def test_a_renewal_is_due_after_a_third_of_the_duration(tenure):
    assert tenure.next_write_at == 4.0


def test_a_noted_checkpoint_is_due_within_its_interval(tenure):
    tenure.note(Checkpoint("6"), 0.5)
    tenure.note(Checkpoint("7"), 2.0)
    assert tenure.next_write_at == 3.5
    tenure.written(renewed(LEASE, tenure.noted), sent_at=3.5, noted=tenure.noted)
    assert (tenure.noted, tenure.next_write_at) == (None, 7.5)


def test_a_checkpoint_that_is_noted_during_a_write_stays_for_the_next(tenure):
    tenure.note(Checkpoint("6"), 0.5)
    written = tenure.noted
    tenure.note(Checkpoint("7"), 3.6)
    tenure.written(renewed(LEASE, written), sent_at=3.5, noted=written)
    assert (tenure.noted, tenure.next_write_at) == (Checkpoint("7"), 6.5)


def test_a_failed_renewal_is_repeated_after_a_moment(tenure):
    tenure.write_failed(5.0)
    assert tenure.next_write_at == 6.2


@pytest.mark.parametrize(
    "found",
    [
        LEASE,
        renewed(LEASE),
        asked_for(LEASE, "other"),
        asked_for(renewed(LEASE), "other"),
        saved(LEASE, Checkpoint("6")),
    ],
    ids=["same", "own write", "asked for", "own write, asked for", "own save"],
)
def test_a_refused_write_goes_on_from_what_the_table_has(tenure, found):
    assert tenure.adopt(found)
    assert tenure.lease == found
    assert tenure.expires_at == 12


@pytest.mark.parametrize(
    "found",
    [
        None,
        taken(LEASE, "other"),
        taken(taken(LEASE, "other"), "me"),
        released(LEASE),
        asked_for(taken(LEASE, "other"), "me"),
        replace(LEASE, counter=9),
    ],
    ids=["deleted", "taken", "taken and taken back", "released", "own request", "two writes of others"],
)
def test_a_lease_that_another_worker_had_is_lost(tenure, found):
    assert not tenure.adopt(found)


def test_a_request_limits_the_tenure_to_the_time_of_the_hand_over(tenure, clock):
    clock.now = 2.0
    tenure.adopt(asked_for(LEASE, "other"))
    assert tenure.expires_at == 12.0
    clock.now = 31.0
    tenure.written(renewed(tenure.lease), sent_at=31.0, noted=None)
    assert tenure.expires_at == 32.0
    tenure.written(handed_back(tenure.lease), sent_at=31.5, noted=None)
    assert tenure.expires_at == 43.5


def test_a_request_is_seen_twice_before_it_is_answered(tenure):
    tenure.adopt(asked_for(LEASE, "other"))
    assert [tenure.saw_request_before(), tenure.saw_request_before()] == [False, True]
    tenure.adopt(LEASE)
    tenure.adopt(asked_for(LEASE, "other"))
    assert not tenure.saw_request_before()


def test_nobody_may_deliver_while_a_lease_is_released(tenure):
    tenure.is_closing = True
    assert (tenure.is_held, tenure.may_write) == (False, True)


def test_a_release_may_be_written_after_the_lease_has_expired(tenure, clock):
    clock.now = 1_000.0
    assert not tenure.may_write
    tenure.is_closing = True
    assert (tenure.is_held, tenure.may_write) == (False, True)
    tenure.end()
    assert not tenure.may_write


def test_a_tenure_ends_once(tenure):
    assert [tenure.end(), tenure.end()] == [True, False]
    assert not tenure.may_write
    assert not tenure.adopt(LEASE)


# --- The changes -------------------------------------------------------------------------------------


def test_taking_a_lease_counts_the_switch_of_its_owner():
    assert taken(replace(LEASE, owner=None), "me").owner_switches == 2
    assert taken(LEASE, "me").owner_switches == 2
    assert taken(LEASE, "other").owner_switches == 3
    assert taken(asked_for(LEASE, "other"), "other") == replace(LEASE, owner="other", counter=8, owner_switches=3)


def test_asking_leaves_the_counter_alone_so_that_the_holder_can_go_on():
    assert asked_for(LEASE, "other") == replace(LEASE, owner="other", checkpoint_owner="me")
    assert withdrawn(asked_for(LEASE, "other")) == LEASE


def test_declining_is_a_write_of_the_holder():
    assert handed_back(asked_for(LEASE, "other")) == replace(LEASE, counter=8)
    assert handed_back(LEASE) == replace(LEASE, counter=8)


def test_a_checkpoint_starts_the_count_of_switches_anew():
    assert saved(LEASE, Checkpoint("6")) == replace(LEASE, counter=8, checkpoint=Checkpoint("6"), owner_switches=0)


def test_what_was_announced_stays_until_a_checkpoint_is_saved():
    lease = announced(LEASE, PENDING, Checkpoint("6"))
    assert (lease.pending, lease.checkpoint) == (PENDING, Checkpoint("6"))
    assert renewed(lease, Checkpoint("7")).pending == PENDING
    assert released(lease, Checkpoint("7")).pending == PENDING
    assert saved(lease, Checkpoint("9")).pending is None


def test_the_end_of_a_shard_ends_a_hand_over_too():
    lease = ended(asked_for(replace(LEASE, child_ids=("s1",)), "other"), ["s2", "s1"])
    assert (lease.checkpoint, lease.checkpoint_owner, lease.child_ids) == (Checkpoint(SHARD_END), None, ("s1", "s2"))


def test_nothing_follows_the_end_of_a_shard():
    lease = ended(LEASE, [])
    assert (
        saved(lease, Checkpoint("9")).checkpoint == renewed(lease, Checkpoint("9")).checkpoint == Checkpoint(SHARD_END)
    )


def test_a_lease_is_released_to_the_worker_that_asked_or_to_nobody():
    assert released(LEASE, Checkpoint("6")) == replace(
        LEASE, owner=None, counter=8, checkpoint=Checkpoint("6"), owner_switches=0
    )
    lease = released(asked_for(LEASE, "other"))
    assert (lease.owner, lease.checkpoint_owner, lease.owner_switches) == ("other", None, 3)
