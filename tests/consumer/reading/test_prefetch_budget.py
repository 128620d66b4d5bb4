"""The budget of bytes over all shards."""

from collections import Counter, deque
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.consumer.reading.prefetch_budget import LEAST_PART, LEAST_RESERVATION, PrefetchBudget

MIB = 1 << 20


def shared_by(*shard_ids, capacity=64 * MIB):
    budget = PrefetchBudget(capacity)
    for shard_id in shard_ids:
        budget.add(shard_id)
    return budget


def fetch(budget, shard_id, size):
    assert budget.reserve(shard_id, size)
    budget.settle(shard_id, size)


def test_the_size_of_the_page_replaces_the_reservation():
    budget = shared_by("a")
    assert budget.reserve("a", MIB) == MIB
    assert budget.used == MIB
    budget.settle("a", 1_000)
    assert (budget.used, budget.held("a")) == (1_000, 1_000)
    budget.release("a", 1_000)
    assert budget.used == 0


def test_a_second_call_returns_the_same_reservation():
    budget = shared_by("a")
    assert budget.reserve("a", 100) == budget.reserve("a", 300) == 100
    assert budget.used == 100


def test_one_shard_alone_may_read_ahead_up_to_the_budget():
    budget = shared_by("a", capacity=10 * MIB)
    for _ in range(10):
        fetch(budget, "a", MIB)
    assert budget.reserve("a", MIB) == 0


def test_a_shard_that_holds_something_leaves_the_parts_of_the_others():
    """The application does not process the records of "a"."""
    budget = shared_by("a", "b", capacity=10 * MIB)
    for _ in range(5):
        fetch(budget, "a", MIB)
    assert budget.reserve("a", MIB) == 0
    for _ in range(5):
        fetch(budget, "b", MIB)
    budget.release("b", 5 * MIB)
    assert budget.take_granted() == [], "it still waits for its own part"
    budget.release("a", MIB)
    assert budget.take_granted() == ["a"]


def test_among_many_shards_each_may_still_read_ahead_by_a_second_of_its_quota():
    budget = shared_by(*map(str, range(1_000)))
    fetch(budget, "0", LEAST_PART // 2)
    assert budget.reserve("0", LEAST_PART // 2)


def test_a_shard_that_holds_nothing_gets_what_is_left():
    budget = shared_by("a", "b", capacity=MIB)
    fetch(budget, "a", MIB - 200_000)
    assert budget.reserve("b", MIB) == 200_000


def test_the_last_bytes_are_rounded_up_to_a_useful_page():
    budget = shared_by("a", "b", capacity=MIB)
    fetch(budget, "a", MIB - 1)
    assert budget.reserve("b", MIB) == LEAST_RESERVATION


def test_when_the_budget_is_used_up_shards_wait_in_line():
    budget = shared_by("a", "b", "c", "d", capacity=MIB)
    fetch(budget, "a", MIB)
    for shard_id in ("c", "b", "c", "d"):
        assert budget.reserve(shard_id, 100_000) == 0
    budget.release("a", 200_000)
    assert budget.take_granted() == ["c", "b"]
    assert budget.take_granted() == []
    assert budget.reserve("c", 5) == 100_000, "it was reserved when it was granted"
    budget.settle("c", 0)
    assert budget.take_granted() == ["d"]


def test_a_shard_that_holds_nothing_comes_before_those_that_hold_something():
    budget = shared_by("a", "b", "c", capacity=4 * MIB)
    fetch(budget, "a", MIB)
    fetch(budget, "b", 3 * MIB)
    assert budget.reserve("a", MIB) == budget.reserve("c", MIB) == 0
    budget.release("b", MIB)
    assert budget.take_granted() == ["c"]


def test_a_shard_whose_last_bytes_are_released_moves_to_the_other_line():
    budget = shared_by("a", "b", "c", capacity=2 * MIB)
    fetch(budget, "a", MIB)
    fetch(budget, "b", MIB)
    assert budget.reserve("a", MIB) == budget.reserve("b", 2 * MIB) == 0
    budget.release("b", MIB)
    assert budget.take_granted() == ["b"]
    assert budget.used == 2 * MIB


def test_a_shard_that_is_removed_gives_back_its_reservation_and_its_place():
    budget = shared_by("a", "b", "c", capacity=MIB)
    budget.reserve("a", MIB)
    assert budget.reserve("b", MIB) == budget.reserve("c", MIB) == 0
    budget.remove("b")
    budget.remove("a")
    assert budget.take_granted() == ["c"]
    assert budget.used == MIB


def test_what_a_removed_shard_holds_counts_until_it_is_released():
    budget = shared_by("a", "b", capacity=MIB)
    fetch(budget, "a", MIB)
    budget.remove("a")
    assert budget.reserve("b", MIB) == 0
    budget.release("a", 400_000)
    budget.add("a")  # the lease came back
    assert budget.held("a") == MIB - 400_000
    budget.release("a", MIB - 400_000)
    assert budget.take_granted() == ["b"]
    assert budget.held("a") == 0


def test_a_granted_shard_that_is_removed_is_not_reported():
    budget = shared_by("a", "b", capacity=MIB)
    fetch(budget, "a", MIB)
    budget.reserve("b", MIB)
    budget.release("a", MIB)
    budget.remove("b")
    assert budget.take_granted() == []


def test_shards_that_wait_for_others_do_not_keep_them_from_reading():
    budget = shared_by("a", "b", "c", capacity=2 * MIB)
    fetch(budget, "a", MIB)
    fetch(budget, "b", MIB)
    assert budget.reserve("c", MIB) == 0
    budget.set_blocked("a", is_blocked=True)
    assert budget.take_granted() == ["c"]
    assert (budget.reserve("c", 1), budget.used) == (MIB, 3 * MIB)


def test_a_blocked_shard_does_not_read_ahead_beyond_the_budget():
    budget = shared_by("a", "b", capacity=2 * MIB)
    fetch(budget, "a", MIB)
    fetch(budget, "b", MIB)
    budget.set_blocked("a", is_blocked=True)
    budget.set_blocked("b", is_blocked=True)
    assert budget.reserve("a", MIB) == budget.reserve("b", MIB) == 0


def test_pages_of_blocked_shards_count_again_when_they_are_not_blocked_any_more():
    budget = shared_by(*"abcd", capacity=2 * MIB)
    budget.set_blocked("a", is_blocked=True)
    fetch(budget, "a", MIB)
    for shard_id in "bc":
        fetch(budget, shard_id, MIB)
    assert budget.reserve("d", MIB) == 0
    budget.set_blocked("b", is_blocked=True)
    assert budget.take_granted() == ["d"]
    budget.settle("d", 0)
    for shard_id in "ab":
        budget.set_blocked(shard_id, is_blocked=False)
    assert budget.reserve("d", MIB) == 0
    budget.release("a", MIB)
    assert budget.take_granted() == []
    budget.release("b", 1)
    assert budget.take_granted() == ["d"]


def test_a_blocked_shard_may_be_removed():
    budget = shared_by("a", "b", capacity=MIB)
    fetch(budget, "a", MIB)
    budget.set_blocked("a", is_blocked=True)
    budget.remove("a")
    budget.release("a", MIB)
    budget.set_blocked("a", is_blocked=False)
    fetch(budget, "b", MIB)
    budget.add("a")
    assert budget.reserve("a", MIB) == 0


@pytest.mark.parametrize("seed", range(10))
def test_the_shard_that_is_behind_reads_whatever_the_others_hold(seed):
    """Each page of 50 shards waits until every shard that has read fewer pages has read as many."""
    dice = Random(seed)
    shard_ids = [str(number) for number in range(50)]
    budget = shared_by(*shard_ids, capacity=4 * MIB)
    pages, held, running = Counter(dict.fromkeys(shard_ids, 0)), {}, set()
    most = 0
    while min(pages.values()) < 5:
        for shard_id in shard_ids:
            budget.set_blocked(shard_id, is_blocked=bool(held.get(shard_id)) and pages[shard_id] > min(pages.values()))
            if shard_id not in running and budget.reserve(shard_id, MIB):
                running.add(shard_id)
        running.update(budget.take_granted())
        free = [each for each in shard_ids if held.get(each) and pages[each] == min(pages.values())]
        assert running or free, "all shards wait for each other"
        most = max(most, budget.used)
        if running and dice.random() < 0.8:
            shard_id = dice.choice(sorted(running))
            running.remove(shard_id)
            size = dice.choice([MIB, 2 * MIB])  # as an aggregate that is larger than its reservation
            budget.settle(shard_id, size)
            held.setdefault(shard_id, deque()).append(size)
            pages[shard_id] += 1
        elif free:
            shard_id = dice.choice(free)
            budget.release(shard_id, held[shard_id].popleft())
    assert 4 * MIB < most <= 4 * MIB + len(shard_ids) * 2 * MIB


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["reserve", "page", "release", "leave"]), st.integers(0, 3)), max_size=80
)


@given(operations=OPERATIONS, excess=st.sampled_from([0, 300_000]), seed=st.integers(0, 1_000))
def test_the_budget_holds_and_no_shard_that_holds_nothing_waits_beside_free_bytes(operations, excess, seed):
    dice, budget = Random(seed), shared_by(*"0123", capacity=MIB)
    reserved, held, waiting = Counter(), Counter(), set()
    beyond = 0
    for operation, number in operations:
        shard_id = str(number)
        if operation == "reserve" and not reserved[shard_id]:
            reserved[shard_id] = budget.reserve(shard_id, dice.randrange(1, 2 * MIB))
            waiting |= {shard_id} if not reserved[shard_id] else set()
        elif operation == "page" and reserved[shard_id]:
            over = excess if beyond == 0 and dice.random() < 0.5 else 0
            size = dice.randrange(reserved[shard_id] + 1) + over
            budget.settle(shard_id, size)
            reserved[shard_id], held[shard_id] = 0, held[shard_id] + size
            beyond += over
        elif operation == "release" and held[shard_id]:
            size = dice.randrange(1, held[shard_id] + 1)
            budget.release(shard_id, size)
            held[shard_id] -= size
        elif operation == "leave":
            budget.remove(shard_id)
            budget.add(shard_id)
            reserved[shard_id] = 0
            waiting.discard(shard_id)
        for granted in budget.take_granted():
            waiting.remove(granted)
            reserved[granted] = budget.reserve(granted, 1)
        assert budget.used == reserved.total() + held.total()
        assert budget.used < MIB + LEAST_RESERVATION + beyond
        assert budget.used >= MIB or all(held[shard_id] for shard_id in waiting)


@pytest.mark.parametrize("seed", range(5))
def test_no_shard_starves(seed):
    """200 shards share a budget for 16 pages; the application takes its time for random ones, and skips three."""
    dice = Random(seed)
    shard_ids = [str(number) for number in range(200)]
    budget = shared_by(*shard_ids, capacity=16 * MIB)
    stuck = set(shard_ids[:3])
    pages, held = Counter(), deque()
    for shard_id in shard_ids:
        budget.reserve(shard_id, MIB)
    running = [shard_id for shard_id in shard_ids if budget.reserve(shard_id, MIB)]
    for _ in range(6_000):
        if running and dice.random() < 0.5:
            shard_id = running.pop(dice.randrange(len(running)))
            size = dice.randrange(1, budget.reserve(shard_id, MIB) + 1)
            budget.settle(shard_id, size)
            pages[shard_id] += 1
            held.append((shard_id, size))
            if budget.reserve(shard_id, MIB):
                running.append(shard_id)
        elif held:
            shard_id, size = held.popleft()
            if shard_id not in stuck:
                budget.release(shard_id, size)
        running += budget.take_granted()
    rates = [pages[shard_id] for shard_id in shard_ids if shard_id not in stuck]
    assert min(rates) >= 5
    assert max(pages[shard_id] for shard_id in stuck) <= 6
