"""A group of shards: what goes in its next request. The router's options are those of support.py."""

import math

import pytest

from tests.producer.routing.support import make_record, make_router
from tests.producer.support import even_shards
from truckstream.kinesis.limits import MIB
from truckstream.producer.queueing.outbox import CREDIT_RECORDS
from truckstream.producer.queueing.request_draft import RequestDraft
from truckstream.producer.queueing.shard_group import OVERTAKEN_SECONDS

LIMIT = 2_000


class Shards:
    """The only exclusive group of a stream, and its shards."""

    def __init__(self, *, shards=2, **options):
        self.options = {"max_in_flight": 1, **options}
        self.router = make_router(**self.options)
        self.router.set_shards(even_shards(shards), 0.0)
        self.group = self.router.groups[0]
        self.outboxes = self.router.outboxes[:-1]

    def put(self, *times, shard=0, size=None, where=lambda record: record.outbox.entry.append(record)):
        hash_key = str(2**128 // len(self.outboxes) * shard)
        records = [make_record(self.router, at, hash_key=hash_key, queued=False) for at in times]
        for record in records:
            record.size = size or record.size
            where(record)
        return records

    def back(self, *times, shard=0):
        """Records whose backoff is over."""
        return self.put(*times, shard=shard, where=lambda record: record.outbox.return_parcel(record))

    def fill(self, now, *, flushed=-1, records=500):
        """The records of the next request, in their order."""
        options = self.router._options
        batch = RequestDraft(options, MIB, 1_000, most_held=LIMIT)
        batch.records_left = records
        self.group.sort(now, flushed, LIMIT)
        self.must_report = self.group.fill(batch, now, flushed)
        return batch.parcels

    def due_at(self, now, flushed=-1):
        self.group.sort(now, flushed, LIMIT)
        return self.group.due_at(flushed)

    def throttle(self, shard, now):
        """Let the shard throttle, so that its pacer is careful."""
        self.outboxes[shard].pacer.on_response(10, 10, now, now)


@pytest.fixture
def make_group():
    return Shards


@pytest.fixture
def pair():
    return Shards()


# --- When a request is due ------------------------------------------------------------------------


def test_without_records_nothing_is_due(pair):
    assert pair.due_at(5.0) == math.inf
    assert pair.group.expires_at() == math.inf
    assert pair.fill(5.0) == []


def test_the_oldest_record_of_all_shards_lingers(pair):
    pair.put(5.0, shard=1)
    pair.put(5.05, shard=0)
    assert pair.due_at(5.06) == pytest.approx(5.1)


def test_records_that_were_flushed_do_not_linger(pair):
    [record] = pair.put(5.0)
    record.epoch = 3
    assert pair.due_at(5.0, flushed=2) == pytest.approx(5.1)
    assert pair.due_at(5.0, flushed=3) <= 5.0
    assert pair.fill(5.0, flushed=3) == [record]


@pytest.mark.parametrize("limits", [{"max_batch_records": 3}, {"max_batch_bytes": 57}])
def test_a_full_request_of_several_shards_does_not_linger(make_group, limits):
    group = make_group(**limits)
    group.put(5.0, shard=0)
    group.put(5.0, shard=1)
    assert group.due_at(5.0) == pytest.approx(5.1)
    group.put(5.0, shard=0)
    assert group.due_at(5.0) <= 5.0


def test_records_that_come_back_do_not_linger(pair):
    pair.back(4.9)
    assert pair.due_at(5.0) <= 5.0


# --- What goes ------------------------------------------------------------------------------------


def test_records_of_all_shards_go_in_the_order_of_put(pair):
    records = [pair.put(at, shard=int(at) % 2)[0] for at in (1.0, 2.0, 3.0, 4.0)]
    assert pair.fill(5.0, records=3) == records[:3]
    assert pair.fill(5.0) == records[3:]


def test_a_pacer_is_asked_once_for_many_records(pair, monkeypatch):
    pacer = pair.outboxes[0].pacer
    asked = []
    take = type(pacer).take

    def counted(self, records, size, now):
        asked.append(records)
        take(self, records, size, now)

    monkeypatch.setattr(type(pacer), "take", counted)
    pair.put(*[1.0] * CREDIT_RECORDS)
    pair.fill(1.0)
    assert asked == [CREDIT_RECORDS]


def test_a_shard_gets_no_more_than_its_quota_and_delays_no_other(pair):
    """Half a second of the quota is saved up."""
    busy, idle = pair.put(*[1.0] * 700), pair.put(1.0, shard=1)
    assert pair.fill(1.0, records=600) == busy[:500] + idle
    assert pair.outboxes[0].queue.count == 200, "they wait for their shard alone"
    assert pair.due_at(1.0) == pytest.approx(1.1), "a step of the backlog"
    assert pair.fill(1.1) == busy[500:600]


def test_bytes_are_paced_like_records(pair):
    records = pair.put(*[1.0] * 5, size=150_000)
    assert pair.fill(1.0) == records[:3]
    assert pair.fill(1.07) == []
    assert pair.fill(1.08) == records[3:4]


def test_a_rate_that_grows_meanwhile_shortens_the_wait(pair):
    pacer = pair.outboxes[0].pacer
    assert pacer.rate_at(1.0) == 1_000.0
    pacer._accepted.share = 0.02
    first, second = pair.put(1.0, 1.0, size=MIB)
    assert pair.fill(1.0) == [first]
    now = 1.0
    while not (taken := pair.fill(now)):
        now = pair.due_at(now)
    assert taken == [second]
    assert now < 5.0, "and not 50 s later"


def test_a_record_larger_than_the_credit_takes_as_much_as_it_needs(pair):
    records = pair.put(1.0, 1.0, size=400_000)
    assert pair.fill(1.0) == records[:1]
    assert pair.outboxes[0].pacer.bytes_allowed(1.0) == pytest.approx(512 * 1024 - 400_000)


def test_credit_that_is_not_used_returns_to_the_pacer(pair):
    outbox = pair.outboxes[0]
    pair.put(1.0, size=19)
    pair.fill(1.0)
    outbox.return_credit(1.0)
    assert outbox.pacer.records_allowed(1.0) == 499
    assert outbox.pacer.bytes_allowed(1.0) == 512 * 1024 - 19
    outbox.return_credit(1.0)
    assert outbox.pacer.records_allowed(1.0) == 499


def test_credit_that_was_used_just_now_is_no_addition_to_a_full_bucket(pair):
    """Half a MiB is saved up, and a record of 1 MiB may go on top of nothing else."""
    pair.put(1.0)
    pair.fill(1.0)
    first, large = pair.put(9.0, size=50_000), pair.put(9.0, size=MIB)
    assert pair.fill(9.1) == first
    assert pair.fill(9.1 + 50_000 / MIB - 0.001) == []
    assert pair.fill(9.1 + 50_000 / MIB + 0.001) == large


def test_no_record_overtakes_one_that_waits_for_its_shard(pair):
    held = pair.put(*[1.0] * 510)[500:]
    pair.fill(1.0)
    later = pair.put(1.0)
    assert pair.fill(1.005) == held[:5], "the shard may take five"
    assert pair.fill(1.02) == held[5:] + later


def test_what_is_due_soon_goes_along(pair):
    """So the steps of saturated shards fall together."""
    first, second = pair.put(*[1.0] * 600), pair.put(*[1.0] * 600, shard=1)
    pair.fill(1.0, records=1_200)
    assert pair.due_at(1.0) == pytest.approx(1.1)
    taken = pair.fill(1.06)
    assert sorted(map(id, taken)) == sorted(map(id, first[500:560] + second[500:560]))


def test_a_record_that_does_not_fit_into_the_request_waits_for_the_next_one(make_group):
    group = make_group(max_batch_bytes=100)
    records = group.put(1.0, 1.0, 1.0, size=60)
    assert [group.fill(1.0), group.fill(1.0), group.fill(1.0)] == [[record] for record in records]


def test_records_that_come_back_go_first(pair):
    records = pair.put(2.0)
    back = pair.back(1.0, shard=1)
    assert pair.fill(2.05) == back + records


def turns_until(group, record, *, from_):
    """How many requests of five records go before the one with `record`; one is sent in 50 ms."""
    for turn in range(20):
        if record in group.fill(from_ + turn * 0.05, records=5):
            return turn
    return math.inf


def test_shards_that_throttle_do_not_fill_every_request(pair):
    pair.throttle(0, 1.0)
    pair.back(*[1.0] * 200)
    [calm] = pair.put(1.0, shard=1)
    assert turns_until(pair, calm, from_=1.1) <= 2


def test_a_backlog_does_not_fill_every_request(pair):
    backlog = pair.put(*[1.0] * 700)
    assert pair.fill(1.0, records=600) == backlog[:500]
    [other] = pair.put(1.0, shard=1)
    assert turns_until(pair, other, from_=1.1) <= 2


def test_new_records_do_not_fill_every_request(pair):
    backlog = pair.put(*[1.0] * 501)
    assert pair.fill(1.0, records=600) == backlog[:500]
    pair.put(*[1.0] * 200, shard=1)
    assert turns_until(pair, backlog[500], from_=1.1) <= 2


def test_new_records_of_a_shard_that_throttles_go_with_the_others(pair):
    pair.throttle(0, 1.0)
    [throttling], [calm] = pair.put(1.0), pair.put(1.0, shard=1)
    assert pair.fill(1.1) == [calm, throttling]
    assert pair.must_report


def test_new_records_of_a_shard_that_throttles_need_not_be_reported(pair):
    pair.throttle(0, 1.0)
    throttling = pair.put(1.0)
    assert pair.fill(1.1) == throttling
    assert not pair.must_report


def test_a_shard_whose_records_are_held_again_and_again_is_noted_once(pair):
    """The notes are kept until the front is empty, which may never be."""
    outbox = pair.outboxes[0]
    for now in (1.0, 11.0, 21.0):
        pair.put(*[now] * 700)
        pair.put(*[now] * 100, shard=1)
        pair.fill(now, records=pair.group.front.count - 250)
        assert (outbox.queue.count, pair.group.front.count) == (200, 50)
        assert len(outbox.take(200, 200, MIB, MIB, now + 5.0)) == 200
        pair.group.add(outbox)
        pair.group.sort(now + 5.0, -1, LIMIT)
        assert not outbox.is_held
    assert len(pair.group._newly_held) == 1


def test_work_in_one_call_is_limited(pair):
    pair.put(*[1.0] * 5_000)
    assert len(pair.fill(1.0)) == 500, "what the pacer has saved up"
    pair.fill(1.0)
    assert pair.group.front.count == 4_500 - LIMIT


# --- One request at a time ------------------------------------------------------------------------


def test_an_exclusive_group_sends_one_request_at_a_time(pair):
    pair.put(1.0)
    pair.fill(1.0)
    assert pair.must_report
    pair.group.on_sent("request", 1.0)
    later = pair.put(1.1)
    assert pair.due_at(1.2) == 1.0 + OVERTAKEN_SECONDS
    assert pair.fill(1.3) == []
    pair.group.on_ended("request")
    assert pair.fill(1.3) == later


def test_a_request_that_takes_long_is_overtaken(pair):
    pair.group.on_sent("slow", 1.0)
    later = pair.put(1.1)
    assert pair.fill(1.0 + OVERTAKEN_SECONDS) == later
    pair.group.on_sent("next", 1.5)
    pair.group.on_ended("slow")
    assert pair.put(1.6)
    assert pair.fill(1.7) == [], "the next one is still under way"


def test_a_shard_that_throttles_does_not_wait(pair):
    """Its order is lost, and a writer that does not wait would take its quota."""
    pair.group.on_sent("request", 1.0)
    pair.throttle(0, 1.0)
    back = pair.back(1.0)
    pair.put(1.0, shard=1)
    assert pair.due_at(1.3) <= 1.3
    assert pair.fill(1.3) == back
    assert not pair.must_report
    pair.group.on_ended("request")
    assert len(pair.fill(1.3)) == 1


def test_a_request_that_took_nothing_in_order_need_not_be_reported(make_group):
    group = make_group(pacing=False)
    records = group.put(1.0)
    assert group.fill(1.0) == records
    assert not group.must_report


# --- Deadlines ------------------------------------------------------------------------------------


def test_expired_records_are_removed_wherever_they_wait(pair):
    back, [queued] = pair.back(1.0), pair.put(3.0)
    [held] = pair.put(2.0, shard=1, where=lambda record: record.outbox.put_back([record]))
    assert pair.group.expires_at() == 121.0
    assert [list(each) for each in pair.group.take_expired(121.0, 9)] == [back]
    pair.group.sort(10.0, 0, LIMIT)
    assert pair.group.expires_at() == 122.0
    assert [list(each) for each in pair.group.take_expired(130.0, 9)] == [[queued], [held]]
    assert pair.due_at(10.0) == pair.group.expires_at() == math.inf


def test_expired_records_are_removed_in_steps(pair):
    pair.put(1.0, 1.0, 1.0)
    pair.back(1.0, 1.0)
    assert [len(each) for each in pair.group.take_expired(200.0, 2)] == [2]
    assert [len(each) for each in pair.group.take_expired(200.0, 2)] == [1, 1]
    assert [len(each) for each in pair.group.take_expired(200.0, 2)] == [1]
