"""Random histories: no record is lost, stored twice without `maybe_duplicate`, or left without an outcome.

The service of these tests stores, throttles, fails, never responds, rejects malformed records and reshards at random.
Its listings of the shards fail, are late, incomplete or out of date. The records that it stored decide what is right,
and two readers: one takes each aggregate apart, and the other one is the KCL, which discards some.
"""

import contextlib
import dataclasses
import itertools
from collections import Counter, defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.producer.support import Service, even_shards, hash_of, reserve, throttled, user_records
from truckstream.kinesis.client import RecordResponse
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.shard_map import Shard
from truckstream.producer import core as core_module
from truckstream.producer.core import ProducerCore
from truckstream.producer.options import ProducerOptions
from truckstream.producer.queueing.keyed_queue import lane_key
from truckstream.producer.queueing.outbox import records_of
from truckstream.producer.queueing.request import GRACE_SECONDS

CLEAN = [FailureKind.THROTTLED, FailureKind.NOT_SENT, FailureKind.CREDENTIALS, FailureKind.CLOCK_SKEW]
POISON = b"poison"


class UnreliableService(Service):
    """Stores, throttles, fails and does not respond, at random."""

    def __init__(self, shards, dice, reliability):
        super().__init__(shards)
        self._dice = dice
        self._reliability = reliability
        self.doubted = set()
        #: Shards that were split or merged. A listing has them, too.
        self.closed = []
        #: The last listing that was up to date when it was made.
        self.listing = list(shards)

    def reshard(self, first):
        """Split a shard, merge two, or divide the hash keys anew."""
        before = self.shards.shards
        index = self._dice.randrange(len(before))
        old, ids = before[index], (f"shardId-{number:012}" for number in itertools.count(first))
        kind = self._dice.choice(["split", "merge", "divide"])
        if kind == "divide":
            gone, new = before, even_shards(self._dice.randrange(1, 5), first=first)
        elif kind == "split" or index + 1 == len(before):
            middle = self._dice.randint(old.starting_hash_key + 1, old.ending_hash_key)
            new = [
                Shard(next(ids), old.starting_hash_key, middle - 1),
                Shard(next(ids), middle, old.ending_hash_key),
            ]
            gone = [old]
        else:
            gone = before[index : index + 2]
            new = [Shard(next(ids), old.starting_hash_key, gone[1].ending_hash_key)]
        self.closed += [dataclasses.replace(shard, is_open=False) for shard in gone]
        self.shards.__init__([*(shard for shard in before if shard not in gone), *new])

    def list_shards(self):
        """Return the shards, now and then without some of them, or those of an earlier listing; None is a failure."""
        chance = self._dice.random()
        if chance < 0.2:
            return None
        if chance < 0.4:
            return self.listing
        self.listing = [*self.closed, *self.shards.shards]
        return [shard for shard in self.listing if chance > 0.6 or self._dice.random() < 0.5]

    def reply(self, core, request, now):
        assert 1 <= len(request.parcels) <= 500
        chance = self._dice.random()
        try:
            request.attempt.begin()
        except RequestFailedError as withdrawn:
            core.on_failure(request, withdrawn, now)
            return
        if any(data.startswith(POISON) for parcel in request.parcels for _, _, data in user_records(parcel)):
            core.on_failure(request, RequestFailedError(FailureKind.POISONED, "ValidationException", ""), now)
        elif chance < self._reliability:
            core.on_responses(request, self.respond(request), now)
        elif chance < self._reliability + 0.2:
            core.on_responses(request, [self._one(parcel) for parcel in request.parcels], now)
        elif self._dice.random() < 0.5:
            core.on_failure(request, RequestFailedError(self._dice.choice(CLEAN), "Clean", ""), now)
        else:
            if self._dice.random() < 0.5:
                self.respond(request)
            for parcel in request.parcels:
                self._doubt(parcel)
            core.on_failure(request, RequestFailedError(FailureKind.AMBIGUOUS, "Reset", ""), now)

    def cut_off(self, core, request, now):
        """Let a request end by its deadline, at any point of its way."""
        if self._dice.random() < 0.5 and not request.attempt.withdraw():
            self.respond(request)
            request.attempt.finish()
        if not request.attempt.may_have_arrived:
            core.on_failure(request, RequestFailedError(FailureKind.NOT_SENT, "TimeoutError", ""), now)
            return
        for parcel in request.parcels:
            self._doubt(parcel)
        core.on_failure(request, RequestFailedError(FailureKind.AMBIGUOUS, "TimeoutError", ""), now)

    def forget(self, request):
        """Never respond, and never end."""
        if not request.attempt.withdraw():
            for parcel in request.parcels:
                self._doubt(parcel)

    def _one(self, parcel):
        chance = self._dice.random()
        if chance < 0.5:
            return self.store(parcel)
        if chance < 0.75:
            return throttled()
        if self._dice.random() < 0.5:
            self.store(parcel)
        self._doubt(parcel)
        return RecordResponse(error_code="InternalFailure", error_message="Internal Service Failure")

    def _doubt(self, parcel):
        self.doubted |= {id(record) for record in records_of(parcel) if not record.settled}


class Run:
    """One history: records are put, sent and settled, and shards come and go, until every record has its outcome."""

    def __init__(self, dice, options, *, reliability, shards):
        self.dice = dice
        self.core = ProducerCore(options, Random(dice.random()))
        self.core.on_shards(even_shards(shards), 0.0)
        self.service = UnreliableService(even_shards(shards), dice, reliability)
        self.records, self.keys, self.settled, self.in_flight = [], [], [], []
        self.lists = False
        self.reserved = []  # not put yet, like a record whose put was just granted room

    def make(self, *, keys, poison):
        key = f"TRUCK_{self.dice.randrange(keys):03}"
        hash_key = str(self.dice.randrange(2**128)) if self.dice.random() < 0.1 else None
        # Few hash keys, so that their records have an order as well.
        hash_key = hash_key and str(int(hash_key) % 3 * 2**126)
        data = b"%b%d" % (POISON if self.dice.random() < poison else b"", len(self.records))
        if self.core.options.compression:
            data += b" " * self.dice.choice([0, 100, 200])  # of which the first make no envelope that is smaller
        record = reserve(self.core, data, key, hash_key)
        self.records.append(record)
        self.keys.append((key, hash_key, data))
        self.reserved.append(record)

    def put_reserved(self, now):
        for record in self.reserved:
            self.core.put(record, now)
        self.reserved.clear()

    def look_at_the_map(self, now):
        self.lists = self.lists or self.core.start_listing(now)
        if not self.lists or self.dice.random() < 0.5:  # a listing takes its time
            return
        self.lists = False
        shards = self.service.list_shards()
        if shards is None:
            self.core.on_shards_failure(now)
        else:
            self.core.on_shards(shards, now)

    def respond(self, now):
        self.look_at_the_map(now)
        if self.in_flight and self.dice.random() < 0.7:
            self.service.reply(self.core, self.in_flight.pop(self.dice.randrange(len(self.in_flight))), now)

    def to_the_end(self, records, *, reshards=(), keys=20, poison=0.0):
        now, steps = 0.0, 0
        while len(self.records) < records or self.core.budget.used_bytes:
            steps += 1
            assert steps < 20_000, "the core wakes up without doing anything"
            if len(self.records) < records:
                self.make(keys=keys, poison=poison)
                if len(self.records) in reshards:
                    self.service.reshard(first=len(self.records) * 100)
            if len(self.records) == records or self.dice.random() < 0.8:
                self.put_reserved(now)
            self.end_attempts(now)
            requests = self.core.requests_due(now)
            self.settle()
            self.in_flight += requests
            for request in requests:
                if self.dice.random() < 0.5:
                    request.attempt.prepare()  # or its client does not report its progress
            self.assert_unmixed_now(requests)
            if steps % 16 == 0:
                self.assert_in_time(now)
            assert len(self.in_flight) <= self.core.options.max_in_flight
            if self.core.options.ordered:
                self.assert_no_key_twice()
            self.respond(now)
            self.settle()
            wakeup = self.core.next_wakeup(now)
            idle = now + self.dice.random() * 0.05
            waits = len(self.records) < records or self.in_flight or self.lists or wakeup is None
            now = idle if waits else max(wakeup, now)
        return now

    def end_attempts(self, now):
        """Cut off the requests at their deadlines, as the shell does; one in ten clients does not obey."""
        for request in [request for request in self.in_flight if request.deadline <= now]:
            if self.dice.random() < 0.9:
                self.in_flight.remove(request)
                self.service.cut_off(self.core, request, now)
            elif request.deadline + GRACE_SECONDS <= now:
                self.in_flight.remove(request)
                self.service.forget(request)

    def settle(self):
        """Take the outcomes; the service may have stored a record that failed while it was in flight."""
        settled = {id(record): record for record in self.core.take_settled()}
        while self.core.has_settled:
            settled |= {id(record): record for record in self.core.take_settled()}
        self.settled += settled.values()
        for request in self.in_flight:
            for parcel in request.parcels:
                late = {id(record) for record in records_of(parcel) if id(record) in settled}
                if late and not request.attempt.withdraw():
                    self.service.doubted |= late

    def assert_unmixed_now(self, requests):
        """An aggregate is for one shard if the core knows the shards, and of one key if it does not."""
        for request in requests:
            for parcel in request.parcels:
                keys = {(record.partition_key, record.explicit_hash_key) for record in records_of(parcel)}
                if len(keys) > 1:
                    assert {self.core.route(*key).outbox for key in keys} == {parcel.outbox}
                    assert parcel.outbox.shard_id is not None

    def assert_in_time(self, now):
        """A record past its deadline waits for the end of its own request, or of one with its key: not for long."""
        if len(self.records) > core_module.RECORDS_PER_CALL:
            return  # or for the next call
        if 2 * len(self.records) > core_module.RECORDS_PER_CALL and self.core.next_wakeup(now) == now:
            return  # a record whose backoff ended in this call is given up in the next one, which is due at once
        ending = [request for request in self.in_flight if request.deadline <= now < request.deadline + GRACE_SECONDS]
        sent = [*(request.parcels for request in ending), *self.core._halves]
        carried = {record for parcels in sent for parcel in parcels for record in records_of(parcel)}
        keys = {lane_key(record) for record in carried} if self.core.options.ordered else set()
        for record in {*self.records} - {*self.reserved} - carried:
            if not record.settled and lane_key(record) not in keys:
                assert record.put_at + self.core.options.delivery_timeout > now

    def assert_no_key_twice(self):
        """Of one key at most one Kinesis record is in flight, and may still be stored."""
        seen = set()
        for request in self.in_flight:
            failed = any(record.error for parcel in request.parcels for record in records_of(parcel))
            if failed and request.attempt.withdraw():
                continue
            for parcel in request.parcels:
                keys = {(key, hash_key) for key, hash_key, _ in user_records(parcel)}
                assert not keys & seen
                seen |= keys

    def assert_true(self, now):
        """Each record has one outcome, and it agrees with the stream."""
        assert sorted(map(id, self.settled)) == sorted(map(id, self.records))
        copies = Counter(record for _, _, records in self.service.log for record in records)
        aggregated = {record for _, _, records in self.service.log if len(records) > 1 for record in records}
        readable = {*self.service.read_as_kcl()}
        assert set(copies) <= set(self.keys), "a record is stored that was not put, or under another key"
        for record, keys in zip(self.records, self.keys, strict=True):
            stored = copies[keys]
            assert record.response is None or stored >= 1, "acknowledged but not stored"
            assert record.response is None or self.service.find(record) == keys, "acknowledged at another place"
            assert record.response is None or keys in readable, "acknowledged in an aggregate that the KCL discards"
            assert stored <= 1 or record.maybe_duplicate, "stored twice without maybe_duplicate"
            assert record.response is not None or stored == 0 or record.error.may_be_stored
            doubted = id(record) in self.service.doubted
            assert doubted <= record.maybe_duplicate <= (doubted or keys in aggregated)
            assert keys[2].startswith(POISON) <= (record.error is not None)
        stats = self.core.stats(now)
        assert stats.acked + stats.failed == len(self.records)
        assert (stats.buffered, stats.in_flight, stats.buffered_bytes) == (0, 0, 0)
        assert all((shard.buffered, shard.in_flight) == (0, 0) for shard in stats.shards.values())

    def assert_ordered(self):
        """Every reader finds the first copies of a key's records in the order of put."""
        all_records = [record for _, _, records in self.service.log for record in records]
        for read in (all_records, self.service.read_as_kcl()):
            first_copies = defaultdict(dict)
            for key, hash_key, data in read:
                first_copies[key, hash_key].setdefault(data)
            for datas in first_copies.values():
                numbers = [int(data.removeprefix(POISON)) for data in datas]
                assert numbers == sorted(numbers)

    def assert_unmixed(self, shards):
        """Every record of an aggregate belongs to the shard that the aggregate was addressed to."""
        for _, hash_key, records in self.service.log:
            addressed = [home for home in shards if home.starting_hash_key <= hash_key <= home.ending_hash_key]
            for key, explicit_hash_key, _ in records:
                own = hash_of(key, explicit_hash_key)
                assert all(home.starting_hash_key <= own <= home.ending_hash_key for home in addressed)


@contextlib.contextmanager
def records_per_call(number):
    """Let each call do the work of so many records, as if there were far more of them."""
    usual = core_module.RECORDS_PER_CALL
    core_module.RECORDS_PER_CALL = number
    try:
        yield
    finally:
        core_module.RECORDS_PER_CALL = usual


def check_history(
    ordered,
    aggregate,
    compression,
    seed,
    records,
    reliability,
    shards,
    reshards,
    linger,
    in_flight,
    keys,
    poison,
    delivery_timeout,
    per_call,
):
    options = ProducerOptions(
        buffer_bytes=1 << 20,
        linger=linger,
        delivery_timeout=delivery_timeout,
        max_in_flight=in_flight,
        ordered=ordered,
        aggregate=aggregate,
        aggregate_bytes=150,
        compression=compression,
    )
    run = Run(Random(seed), options, reliability=reliability, shards=shards)
    with records_per_call(per_call):
        now = run.to_the_end(records, reshards=reshards, keys=keys, poison=poison)
    run.assert_true(now)
    if ordered:
        run.assert_ordered()
    if not reshards:
        run.assert_unmixed(even_shards(shards))


modes = pytest.mark.parametrize(
    ("ordered", "aggregate", "compression"),
    [
        *[(False, False, None), (True, False, None), (False, True, None), (True, True, None)],
        *[(False, True, "zstd"), (True, True, "zstd")],
    ],
    ids=str,
)
histories = given(
    seed=st.integers(0, 2**32),
    records=st.integers(1, 300),
    reliability=st.sampled_from([0.0, 0.3, 0.8]),
    shards=st.integers(1, 4),
    reshards=st.sets(st.integers(1, 300), max_size=3),
    linger=st.sampled_from([0.0, 0.1]),
    in_flight=st.integers(1, 4),
    keys=st.sampled_from([1, 3, 20]),
    poison=st.sampled_from([0.0, 0.05]),
    delivery_timeout=st.sampled_from([2.0, 30.0]),
    per_call=st.sampled_from([1, 5, 40, 1_000]),
)


@modes
@settings(max_examples=30)
@histories
def test_every_record_gets_one_outcome_and_it_is_the_truth(ordered, aggregate, compression, **history):
    check_history(ordered, aggregate, compression, **history)


@pytest.mark.slow
@modes
@settings(max_examples=100)
@histories
def test_every_record_gets_one_outcome_in_more_histories(ordered, aggregate, compression, **history):
    check_history(ordered, aggregate, compression, **history)
