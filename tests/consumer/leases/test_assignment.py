"""What a worker takes and asks for."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.consumer.leases.assignment import Assignment
from truckstream.consumer.leases.lease import SHARD_END, Checkpoint, Lease
from truckstream.consumer.leases.lease_changes import asked_for, released, taken, withdrawn
from truckstream.consumer.leases.lease_view import LeaseView
from truckstream.consumer.leases.options import LeaseOptions

DURATION = 10.0


def leases_of(*owners):
    """Leases s000, s001 ... of these owners."""
    return [
        Lease(key=f"s{number:03d}", shard_id=f"s{number:03d}", owner=owner, counter=1, checkpoint=Checkpoint("5"))
        for number, owner in enumerate(owners)
    ]


def view_of(leases, now=0.0):
    view = LeaseView(DURATION)
    view.update(leases, now)
    return view


def assignment(worker_id="me", **options):
    return Assignment(worker_id, LeaseOptions(lease_duration=DURATION, **options), random.Random(1))


def plan(leases, held=(), now=0.0, **options):
    """The keys to take and to ask for, of leases that were first read at 0."""
    made = assignment(**options).plan(view_of(leases), held, now)
    return sorted(lease.key for lease in made.take), [lease.key for lease in made.ask_for]


def test_a_worker_alone_takes_all():
    assert plan(leases_of(None, None, None)) == (["s000", "s001", "s002"], [])


def test_a_worker_takes_free_leases_up_to_its_share():
    take, ask_for = plan(leases_of("a", "a", None, None, None, None))
    assert (len(take), ask_for) == (3, [])


def test_a_worker_takes_many_leases_in_steps_and_so_sees_others_that_start_with_it():
    assert len(plan(leases_of(*[None] * 80))[0]) == 10
    assert len(plan(leases_of(*[None] * 20))[0]) == 4


def test_leases_of_a_worker_that_renews_nothing_are_free_after_the_duration():
    assert plan(leases_of("dead"), now=DURATION - 0.1) == ([], [])
    assert plan(leases_of("dead"), now=DURATION) == (["s000"], [])


def test_a_dead_worker_has_no_share():
    """Of 4 leases the share of one of three workers would be 2."""
    leases = leases_of("a", "a", "dead", "dead")
    view = view_of(leases)
    view.update([replace(lease, counter=2) if lease.owner == "a" else lease for lease in leases], DURATION)
    assert len(assignment().plan(view, (), DURATION).take) == 2


def test_max_leases_limits_the_share():
    assert len(plan(leases_of(None, None, None, None), max_leases=3)[0]) == 3
    assert plan(leases_of("me", "a", "a", "a"), held={"s000"}, max_leases=1) == ([], [])


def test_a_worker_without_a_lease_asks_the_one_with_most():
    assert plan(leases_of("a", "a", "b", "b", "b")) == ([], ["s002"])


def test_a_worker_takes_what_is_free_before_it_asks():
    assert plan(leases_of("a", "a", "a", None)) == (["s003"], [])


def test_loads_that_differ_by_one_are_in_balance():
    assert plan(leases_of("a", "a", "me"), held={"s002"}) == ([], [])


def test_one_lease_is_asked_for_at_a_time():
    leases = leases_of(*["a"] * 10)
    leases[3] = asked_for(leases[3], "b")
    assert plan(leases) == ([], [])


def test_one_lease_in_twenty_is_asked_for_at_a_time():
    assert plan(leases_of(*["a"] * 79)) == ([], ["s000", "s001", "s002"])
    leases = leases_of(*["a"] * 79)
    leases[70] = asked_for(leases[70], "b")
    assert plan(leases) == ([], ["s000", "s001"])


@pytest.mark.parametrize(
    ("a", "b", "mine", "asked_of"),
    [
        (33, 31, 0, ["a", "a", "b"]),  # each request is counted before the next one is chosen
        (15, 15, 12, ["b", "a"]),
        (15, 15, 13, ["b"]),  # a has but one more then
    ],
)
def test_requests_go_to_the_workers_that_have_most_when_those_before_are_granted(a, b, mine, asked_of):
    owners = ["a"] * a + ["b"] * b + ["me"] * mine
    held = {f"s{number:03d}" for number in range(a + b, a + b + mine)}
    take, ask_for = plan(leases_of(*owners), held)
    assert (take, [owners[int(key[1:])] for key in ask_for]) == ([], asked_of)


def test_nothing_is_asked_of_a_worker_that_gets_all_its_leases_just_now():
    """Thirty workers have two leases each, so that three may move. The last one waits for both of its own."""
    leases = leases_of(*(f"worker-{number // 2:02}" for number in range(60)))
    leases[58:] = [replace(lease, checkpoint_owner="worker-00") for lease in leases[58:]]
    assert plan(leases) == ([], [])


def test_a_lease_that_was_asked_for_is_taken_when_the_previous_owner_has_finished():
    waiting = assignment()
    lease = asked_for(leases_of("a")[0], "me")
    assert waiting.plan(view_of([lease]), (), 0.0).take == []
    assert waiting.is_waiting
    finished = replace(lease, checkpoint_owner=None, counter=2)
    assert waiting.plan(view_of([finished]), (), 1.0).take == [finished]
    assert not waiting.is_waiting


def test_a_lease_that_was_asked_for_is_taken_when_the_previous_owner_is_dead():
    assert plan([asked_for(leases_of("a")[0], "me")], now=DURATION) == (["s000"], [])


def test_a_lease_that_was_asked_for_is_taken_when_the_previous_owner_has_had_its_time():
    """It had the time of the hand-over after it learnt of it, which takes the duration of a lease at most."""
    waiting, view = assignment(hand_over_timeout=30), LeaseView(DURATION)
    lease = asked_for(leases_of("a")[0], "me")
    for now in range(40):
        view.update([replace(lease, counter=now)], now)
        assert waiting.plan(view, (), now).take == []
    view.update([replace(lease, counter=40)], 40)
    assert len(waiting.plan(view, (), 40).take) == 1


def test_the_time_of_a_hand_over_begins_again_with_another_request():
    waiting, view = assignment(hand_over_timeout=30), LeaseView(DURATION)
    lease = asked_for(leases_of("a")[0], "me")
    for now in range(80):
        view.update([replace(withdrawn(lease) if now == 35 else lease, counter=now)], now)
        assert bool(waiting.plan(view, (), now).take) is (now >= 76)


def test_a_lease_in_hand_over_counts_for_its_new_owner():
    leases = leases_of("a", "a", "a", "b")
    leases[0] = asked_for(leases[0], "b")
    made = assignment("b").plan(view_of(leases), {"s003"}, 0.0)
    assert (made.take, made.ask_for) == ([], [])


def test_a_lease_of_this_worker_that_it_does_not_hold_is_taken_at_once():
    """It was assigned by a leader of the KCL, or taken by a write whose response was lost."""
    assert plan(leases_of("me", "a")) == (["s000"], [])
    assert plan(leases_of("me", None, "a")) == (["s000", "s001"], [])  # and free ones up to its share, in the same step


def test_ended_shards_and_those_behind_a_parent_count_for_nothing():
    parents = [replace(lease, checkpoint=Checkpoint(SHARD_END)) for lease in leases_of("a", "a")]
    children = [
        replace(lease, key=f"c{number}", parent_ids=("s000", "s001", "expired"))
        for number, lease in enumerate(leases_of(None, None))
    ]
    assert plan([*parents, *children]) == (["c0", "c1"], [])
    parents[1] = leases_of("a", "a")[1]
    assert plan([*parents, *children]) == ([], [])


def test_parents_are_looked_up_in_the_same_stream():
    parent = replace(leases_of("a")[0], key="one:s000", stream="one")
    child = replace(leases_of(None)[0], key="two:c", stream="two", parent_ids=("s000",))
    assert plan([parent, child])[0] == ["two:c"]
    assert plan([parent, replace(child, key="one:c", stream="one")])[0] == []


# --- Any crowd ---------------------------------------------------------------------------------------


def settle(leases, workers, rng, check):
    """Let the workers act in any order on what they have just read, until none has anything to do."""
    idle = 0
    for _ in range(10_000):
        worker = rng.choice(workers)
        held = {lease.key for lease in leases.values() if lease.owner == worker and lease.checkpoint_owner is None}
        made = Assignment(worker, LeaseOptions(), rng).plan(view_of(leases.values()), held, 0.0)
        leases |= {lease.key: taken(lease, worker) for lease in made.take}
        leases |= {lease.key: asked_for(lease, worker) for lease in made.ask_for}
        check()
        for lease in list(leases.values()):
            if lease.checkpoint_owner and rng.random() < 0.5:
                leases[lease.key] = released(lease)
        idle = 0 if made.take or made.ask_for else idle + 1
        if idle > 20 * len(workers):
            return
    pytest.fail("the leases move for ever")


@given(
    owners=st.lists(st.sampled_from([None, "a", "b", "c", "d", "e"]), min_size=1, max_size=70),
    workers=st.integers(1, 8),
    seed=st.integers(0, 1000),
)
def test_any_crowd_comes_to_rest_in_balance(owners, workers, seed):
    names = list("abcdefgh")[:workers]
    leases = {lease.key: lease for lease in leases_of(*(owner if owner in names else None for owner in owners))}

    def check():
        moving = sum(lease.checkpoint_owner is not None for lease in leases.values())
        assert moving <= max(1, len(leases) // 20)

    settle(leases, names, random.Random(seed), check)
    owners = [lease.owner for lease in leases.values()]
    loads = [owners.count(name) for name in names]
    assert sum(loads) == len(leases)
    assert max(loads) - min(loads) <= 1
