"""Readers that share a shard, on simulated time, against the read quota of the local Kinesis."""

import heapq
import itertools
from random import Random

import pytest

from truckstream.consumer.reading.pacing.read_pacer import PAGE_BYTES, ReadPacer
from truckstream.local.service.quotas import shard_quota

MIB = 1 << 20


class Reader:
    """Reads pages of `page` bytes: paced, or each `every` seconds whatever happens; up to `late` seconds too late."""

    def __init__(self, number, page, *, every=None, starts=0.0, ends=1e9, late=0.0):
        self.dice = Random(number)
        self.pacer = ReadPacer(self.dice, starts)
        self.page = page
        self.every = every
        self.starts = starts
        self.ends = ends
        self.late = late
        self.pages = []
        self.throttled = 0

    def call(self, shard, now):
        """Make one call; return when the next one follows."""
        self.pacer.on_call(now)
        served = now + self.dice.uniform(0.003, 0.02)
        size = self.page(self)
        if shard.admit(served):
            shard.charge(size)
            self.pages.append((served, size))
            self.pacer.on_page(size, now)
        else:
            self.throttled += 1
            self.pacer.on_throttled(served)
        if self.every is not None:
            return now + self.every * self.dice.uniform(0.9, 1.1)
        return max(served, self.pacer.next_call()) + self.dice.uniform(0.0, self.late)

    def bytes_per_second(self, start, end):
        return sum(size for at, size in self.pages if start <= at < end) / (end - start)

    def calls_per_second(self, start, end):
        return sum(start <= at < end for at, _ in self.pages) / (end - start)


def share(readers, until):
    """Let readers use one shard until a time."""
    shard, ties = shard_quota.ReadQuota(0.0), itertools.count()
    events = [(reader.starts, next(ties), reader) for reader in readers]
    heapq.heapify(events)
    while events:
        now, _, reader = heapq.heappop(events)
        if now < min(until, reader.ends):
            heapq.heappush(events, (reader.call(shard, now), next(ties), reader))


def backlog(reader):
    """A page while much is to be read: about the size that was asked for."""
    return int(PAGE_BYTES * reader.dice.uniform(0.8, 1.2))


def few(_reader):
    """A page while all is read soon after it was stored."""
    return 20_000


def test_a_reader_alone_fills_the_shard_and_is_never_throttled():
    reader = Reader(1, backlog)
    share([reader], 60.0)
    assert reader.bytes_per_second(0.0, 60.0) >= 0.97 * 2 * MIB
    assert reader.throttled == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_reader_whose_calls_are_late_fills_the_shard_too_and_is_never_throttled(seed):
    reader = Reader(seed, lambda _reader: PAGE_BYTES, late=0.04)
    share([reader], 60.0)
    assert reader.bytes_per_second(0.0, 60.0) >= 0.99 * 2 * MIB
    assert reader.throttled == 0


def test_a_reader_alone_makes_five_calls_a_second_and_is_never_throttled():
    reader = Reader(1, few)
    share([reader], 60.0)
    assert 4.85 <= reader.calls_per_second(0.0, 60.0) <= 5.05
    assert reader.throttled == 0


def test_after_ten_mib_the_next_call_waits_for_five_seconds():
    pacer = ReadPacer(Random(1), 0.0)
    pacer.on_call(3.0)
    pacer.on_page(10 * MIB, 3.0)
    assert pacer.next_call() == pytest.approx(8.0)


def test_an_empty_page_costs_a_fifth_of_a_second():
    pacer = ReadPacer(Random(1), 0.0)
    assert pacer.next_call() == 0.0
    pacer.on_call(3.0)
    pacer.on_page(0, 3.0)
    assert pacer.next_call() == pytest.approx(3.2)


def parts_of(readers, start, end):
    """Each reader's part of the bytes, or of the calls, of the quota."""
    return [
        max(reader.bytes_per_second(start, end) / (2 * MIB), reader.calls_per_second(start, end) / 5)
        for reader in readers
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize(("page", "filled"), [(backlog, 0.7), (few, 0.95)])
def test_readers_share_a_shard_fairly_and_fill_it(page, filled, count, seed):
    """The local Kinesis takes away the credit of a page that exceeds it, so that competing pages cost more bytes."""
    readers = [Reader(seed * 10 + number, page, starts=4.03 * number) for number in range(count)]
    share(readers, 140.0)
    parts = parts_of(readers, 40.0, 140.0)
    assert sum(parts) >= filled
    assert all(0.75 <= part / sum(parts) * count <= 1.25 for part in parts), parts


@pytest.mark.parametrize("seed", range(3))
def test_one_that_is_behind_leaves_calls_to_one_that_is_not(seed):
    behind, live = Reader(seed, backlog), Reader(seed + 50, few, starts=5.0)
    share([behind, live], 100.0)
    assert live.calls_per_second(20.0, 100.0) >= 1.5
    assert behind.bytes_per_second(20.0, 100.0) >= 0.8 * MIB


@pytest.mark.parametrize(
    ("every", "page", "pages"),
    [(0.1, 50_000, 0.4), (0.05, 50_000, 0.3), (0.2, 2 * MIB, 0.25), (0.2, 10 * MIB, 0.04), (1.0, 10 * MIB, 0.08)],
)
def test_beside_a_reader_without_pacing_nobody_starves(every, page, pages):
    """With pages of 10 MiB there is a turn each five seconds at most; the paced reader gets at least one in five."""
    for seed in range(3):
        unpaced, paced = Reader(seed + 100, lambda _reader: page, every=every), Reader(seed, backlog)
        share([unpaced, paced], 300.0)
        assert len(paced.pages) / 300.0 >= pages
        times = [0.0, *(at for at, _ in paced.pages), 300.0]
        assert max(b - a for a, b in itertools.pairwise(times)) <= 75.0
        assert unpaced.bytes_per_second(0.0, 300.0) >= 0.1 * MIB


def test_throttled_calls_without_a_page_between_them_slow_a_reader_down_once():
    pacer = ReadPacer(Random(1), 0.0)
    for now in (1.0, 1.2, 1.4):
        pacer.on_call(now)
        pacer.on_throttled(now)
        assert 0.1 <= pacer.next_call() - now <= 0.3
    assert pacer.part == 0.7
    pacer.on_page(0, 1.6)
    assert pacer.part == pytest.approx(0.75)
    pacer.on_throttled(1.8)
    assert pacer.part == pytest.approx(0.525)


def test_the_part_does_not_fall_below_a_call_a_second():
    pacer = ReadPacer(Random(1), 0.0)
    for _ in range(20):
        pacer.on_throttled(1.0)
        pacer.on_page(0, 1.0)
    pacer.on_call(2.0)
    assert pacer.next_call() == pytest.approx(3.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_last_reader_gets_the_whole_shard_again(seed):
    stops, stays = Reader(seed, backlog, ends=30.0), Reader(seed + 50, backlog)
    share([stops, stays], 60.0)
    assert stays.bytes_per_second(45.0, 60.0) >= 0.95 * 2 * MIB


def test_readers_that_are_throttled_together_do_not_return_together():
    pacers = [ReadPacer(Random(seed), 0.0) for seed in range(2)]
    for pacer in pacers:
        pacer.on_call(1.0)
        pacer.on_throttled(1.0)
    assert pacers[0].next_call() != pacers[1].next_call()
