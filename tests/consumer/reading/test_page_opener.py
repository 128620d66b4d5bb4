"""Aggregates are opened in pieces, against the budget of all shards."""

import math
import tracemalloc
from random import Random

import pytest

from tests.consumer.reading.support import aggregated, page, places, plain
from truckstream.consumer.leases.lease import TRIM_HORIZON, Checkpoint
from truckstream.consumer.reading import page_opener
from truckstream.consumer.reading.actions import Open, Wait
from truckstream.consumer.reading.page_opener import PIECE_BYTES, USER_RECORD_BYTES, PageOpener
from truckstream.consumer.reading.prefetch_budget import PrefetchBudget
from truckstream.consumer.reading.user_records import UserRecords
from truckstream.envelope import Envelope
from truckstream.kpl import Aggregate

MIB = 1024 * 1024


def opener(budget, shard_id="a", start=None):
    budget.add(shard_id)
    return PageOpener(shard_id, UserRecords(shard_id, None, start or Checkpoint(TRIM_HORIZON)), budget)


def envelope(number, count, size):
    return aggregated(number, [(bytes(size), "k", None)] * count, Envelope)


def bomb(number):
    """An envelope of 16 KiB that holds nearly 16 MiB."""
    record = envelope(number, 15, MIB)
    assert len(record.data) < 16 * 1024
    return record


def opened(under_test):
    """Open and return pieces while the budget allows it, without releasing any."""
    batches = []
    while isinstance(under_test.next_action(), Open):
        batches.append(under_test.open())
    return batches


def test_a_page_without_aggregates_is_returned_at_once():
    budget = PrefetchBudget()
    under_test = opener(budget)
    records = [plain(1), plain(2)]
    batch = under_test.take_page(page(records, size=700, behind=5))
    assert batch.records is records
    assert (batch.size, batch.millis_behind, batch.is_last) == (700, 5, True)
    assert under_test.next_action() is None
    assert budget.used == 700


def test_a_page_with_an_aggregate_is_returned_when_it_is_opened():
    under_test = opener(PrefetchBudget())
    waiting = under_test.take_page(page([plain(1), envelope(2, 3, 10)], behind=5))
    assert (waiting.records, waiting.size, waiting.is_last) == ([], 0, False)
    [batch] = opened(under_test)
    assert places(batch.records) == [(1, None), (2, 0), (2, 1), (2, 2)]
    assert (batch.size, batch.millis_behind, batch.is_last) == (4 + 3 * 10 + 4 * USER_RECORD_BYTES, 5, True)


def test_a_piece_has_about_as_many_bytes_as_a_page_without_aggregates():
    under_test = opener(PrefetchBudget())
    under_test.take_page(page([envelope(number, 1_000, 300) for number in range(7)]))
    batches = opened(under_test)
    assert [len(batch.records) for batch in batches] == [2_000, 2_000, 2_000, 1_000]
    assert [batch.is_last for batch in batches] == [False, False, False, True]
    assert all(batch.size <= PIECE_BYTES for batch in batches)


def test_bombs_of_all_shards_exceed_the_budget_by_one_aggregate_at_most():
    budget = PrefetchBudget(64 * MIB)
    shards = [opener(budget, f"shard {number}") for number in range(8)]
    for each in shards:
        each.take_page(page([bomb(number) for number in range(10)]))
    batches = [batch for each in shards for batch in opened(each)]
    assert sum(batch.size for batch in batches) == budget.used
    assert 64 * MIB <= budget.used < 64 * MIB + 16 * MIB
    assert [each.next_action() for each in shards] == [Wait(math.inf)] * 8


def test_the_memory_of_a_page_of_bombs_is_bounded():
    """The budget, one aggregate above it, and the body of the one that is being opened."""
    found = page([bomb(number) for number in range(20)])
    under_test = opener(PrefetchBudget(16 * MIB))
    tracemalloc.start()
    try:
        under_test.take_page(found)
        batches, total = opened(under_test), 0
        while batches:
            total += len(batches[-1].records)
            under_test._budget.release("a", batches.pop().size)
            if not batches:
                batches = opened(under_test)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 20 * 15
    assert peak < (16 + 16 + 16 + 1) * MIB


def test_a_shard_whose_records_nobody_processes_does_not_stop_the_others():
    budget = PrefetchBudget(20 * MIB)
    stuck, other = opener(budget, "stuck"), opener(budget, "other")
    stuck.take_page(page([bomb(1), bomb(2)]))
    assert len(opened(stuck)) == 1
    other.take_page(page([bomb(1), bomb(2)]))
    [batch] = opened(other)
    budget.release("other", batch.size)
    assert budget.take_granted() == ["other"]
    assert len(opened(other)) == 1


@pytest.mark.parametrize("kind", [Aggregate, Envelope])
def test_a_piece_reserves_what_it_will_take(kind):
    budget = PrefetchBudget()
    under_test = opener(budget)
    under_test.take_page(page([aggregated(1, [(b'{"a":1}', "k", None)] * 500, kind)]))
    under_test.next_action()
    reserved = budget.used
    batch = under_test.open()
    assert batch.size <= reserved < batch.size + 500 * 20


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_pieces_all_records_come_in_order_from_the_checkpoint_on(seed, monkeypatch):
    monkeypatch.setattr(page_opener, "PIECE_BYTES", 1_000)
    chance = Random(seed)
    records = []
    for number in range(1, 41):
        count = chance.choice([0, 0, 1, 3, 12])
        contents = [(bytes(chance.randrange(100)), "k", None)] * count
        records.append(aggregated(number, contents, chance.choice([Aggregate, Envelope])) if count else plain(number))
    every = places(UserRecords("a", None, Checkpoint(TRIM_HORIZON)).take(records))
    number, subsequence = chance.choice(every)
    under_test = opener(PrefetchBudget(), start=Checkpoint(str(number), subsequence or 0))
    found = []
    for start in range(number - 1, 40, 10):  # pages begin at the checkpoint's record
        batches = [under_test.take_page(page(records[start : start + 10])), *opened(under_test)]
        assert [batch.is_last for batch in batches] == [False] * (len(batches) - 1) + [True]
        found += [place for batch in batches for place in places(batch.records)]
    assert found == every[every.index((number, subsequence)) + 1 :]
