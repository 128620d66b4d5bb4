"""Whatever the service answers and whenever: no record is lost, doubled without saying so, or left without outcome."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.producer.support import Service, even_shards, put, throttled
from truckstream.kinesis.client import RecordAnswer
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.producer.core import ProducerCore, ProducerOptions

RETRIED = [FailureKind.THROTTLED, FailureKind.NOT_SENT, FailureKind.CREDENTIALS, FailureKind.CLOCK_SKEW]


class UnreliableService(Service):
    """Stores, throttles, fails and forgets to answer, as its dice fall."""

    def __init__(self, shards, dice, reliability):
        super().__init__(shards)
        self._dice = dice
        self._reliability = reliability
        self.doubted = set()

    def reply(self, core, request, now):
        assert 1 <= len(request.entries) <= 500
        fate = self._dice.random()
        if fate < self._reliability:
            core.on_answers(request, self.answer(request), now)
        elif fate < self._reliability + 0.2:
            core.on_answers(request, [self._one(entry) for entry in request.entries], now)
        elif self._dice.random() < 0.5:
            core.on_failure(request, RequestFailedError(self._dice.choice(RETRIED), "Clean", ""), now)
        else:
            if self._dice.random() < 0.5:
                self.answer(request)
            self.doubted |= {entry.data for entry in request.entries}
            core.on_failure(request, RequestFailedError(FailureKind.AMBIGUOUS, "Reset", ""), now)

    def _one(self, entry):
        refusals = [throttled(), RecordAnswer(error_code="InternalFailure", error_message="Internal Service Failure")]
        return self.store(entry) if self._dice.random() < 0.5 else self._dice.choice(refusals)


@given(
    seed=st.integers(0, 2**32),
    records=st.integers(1, 300),
    reliability=st.sampled_from([0.0, 0.3, 0.8]),
    shards=st.integers(1, 4),
    reshard=st.booleans(),
    linger=st.sampled_from([0.0, 0.1]),
    in_flight=st.integers(1, 4),
)
def test_every_record_gets_one_outcome_and_it_is_the_truth(
    seed, records, reliability, shards, reshard, linger, in_flight
):
    dice = Random(seed)
    options = ProducerOptions(buffer_bytes=1 << 20, linger=linger, delivery_timeout=30.0, max_in_flight=in_flight)
    core = ProducerCore(options, Random(seed))
    core.on_shards(even_shards(shards), 0.0)
    service = UnreliableService(even_shards(shards), dice, reliability)
    entries, under_way, settled, now, steps = [], [], [], 0.0, 0
    while len(entries) < records or core.used_bytes:
        steps += 1
        assert steps < 20_000, "the core wakes up without doing anything"
        if len(entries) < records:
            entries.append(put(core, b"%d" % len(entries), now, key=f"TRUCK_{dice.randrange(20):03}"))
        if reshard and len(entries) == records // 2:
            service.shards.__init__(even_shards(shards + 1, first=100))
        under_way += core.requests_due(now)
        assert len(under_way) <= in_flight
        if core.shards_wanted(now):
            core.on_shards(service.shards.shards, now)
        if under_way and dice.random() < 0.7:
            service.reply(core, under_way.pop(dice.randrange(len(under_way))), now)
        settled += core.take_settled()
        wakeup = core.next_wakeup(now)
        idle = now + dice.random() * 0.05
        now = idle if len(entries) < records or under_way or wakeup is None else max(wakeup, now)
    assert sorted(map(id, settled)) == sorted(map(id, entries))
    for entry in entries:
        copies = service.stored.count(entry.data)
        assert entry.answer is None or copies >= 1, "acknowledged but not stored"
        assert copies <= 1 or entry.maybe_duplicate, "stored twice and nobody said so"
        assert entry.answer is not None or copies == 0 or entry.error.may_be_stored
        assert entry.maybe_duplicate == (entry.data in service.doubted)
    stats = core.stats(now)
    assert (stats.acked + stats.failed, stats.buffered, stats.in_flight, stats.buffered_bytes) == (records, 0, 0, 0)
