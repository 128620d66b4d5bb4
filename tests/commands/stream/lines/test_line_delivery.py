"""Lines that a producer does not store are reported with their numbers, in bounded memory."""

import pytest

from truckstream.commands.stream.lines.line_delivery import LineDelivery
from truckstream.commands.stream.lines.line_splitter import Line
from truckstream.errors import DeliveryTimeoutError, InvalidArgumentError
from truckstream.producer.stats import ProducerStats, ShardStats


class FakeDelivery:
    """A delivery whose outcome the test sets; None is none yet, True an acknowledgement."""

    def __init__(self, outcome):
        self.outcome = outcome

    def done(self):
        return self.outcome is not None

    def result(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome


class FakeProducer:
    def __init__(self, *, outcome=True):
        self.outcome = outcome
        self.records = []
        self.deliveries = []

    async def put(self, data, partition_key):
        if data == b"invalid":
            raise InvalidArgumentError("data", data, "must be valid")
        self.records.append((data, partition_key))
        self.deliveries.append(FakeDelivery(self.outcome))
        return self.deliveries[-1]

    @property
    def stats(self):
        counts = dict.fromkeys(
            ("buffered", "buffered_bytes", "in_flight", "requests_in_flight", "acked_bytes", "maybe_duplicates"), 0
        )
        sends = dict.fromkeys(("sent", "retried", "throttled", "requests"), 0)
        shards = {
            name: ShardStats(buffered=0, in_flight=0, acked=acked, throttled=0, records_per_second=None)
            for name, acked in ((None, 0), ("shardId-1", 2), ("shardId-0", 1), ("shardId-2", 0))
        }
        return ProducerStats(put=len(self.records), acked=3, failed=1, shards=shards, **counts, **sends)


@pytest.fixture
def problems():
    return []


def delivery_of(producer, problems):
    return LineDelivery(producer, lambda data: f"key of {data.decode()}", problems.append)


async def test_lines_are_put_with_their_keys_and_blank_ones_are_skipped(problems):
    producer = FakeProducer()
    delivery = delivery_of(producer, problems)
    for number, data in enumerate([b"a", b"", b" \t", b"b"], 1):
        await delivery.put(Line(number, data, len(data)))
    assert producer.records == [(b"a", "key of a"), (b"b", "key of b")]
    assert (delivery.lines, delivery.refused, problems) == (4, 0, [])


async def test_a_line_that_breaks_a_rule_is_refused(problems):
    delivery = delivery_of(FakeProducer(), problems)
    await delivery.put(Line(1_234, b"invalid", 7))
    await delivery.put(Line(1_235, None, 20_000_000))
    assert problems == [
        "line 1,234: data is b'invalid': must be valid",
        "line 1,235: the line has 20,000,000 bytes, more than any stream takes",
    ]
    delivery.cut_off(Line(1_236, b"ha", 2))
    assert problems[2:] == ["line 1,236: the line had no end yet when the command was stopped"]
    assert (delivery.lines, delivery.refused, delivery.producer.records) == (3, 3, [])


async def test_each_failure_is_reported_once_and_says_whether_it_may_be_stored(problems):
    producer = FakeProducer(outcome=None)
    delivery = delivery_of(producer, problems)
    for number in (1, 2, 3):
        await delivery.put(Line(number, b"x", 1))
    delivery.report_failures()
    assert problems == []
    producer.deliveries[2].outcome = DeliveryTimeoutError("no answer", attempts=1, may_be_stored=True)
    delivery.report_failures()
    producer.deliveries[0].outcome = DeliveryTimeoutError("no room", attempts=0)
    producer.deliveries[1].outcome = True
    delivery.report_failures()
    delivery.report_failures()
    assert problems == [
        "line 3: not acknowledged, and may be stored nevertheless: no answer",
        "line 1: not acknowledged: no room",
    ]


async def test_deliveries_that_are_done_are_not_kept(problems):
    producer = FakeProducer()
    delivery = delivery_of(producer, problems)
    for number in range(100_000):
        await delivery.put(Line(number, b"x", 1))
    assert len(delivery._pending) < 10_000


async def test_deliveries_that_are_not_done_are_not_looked_at_for_every_line(problems):
    """That would take time in the square of their number."""
    looks = 0

    class Counting(FakeDelivery):
        def done(self):
            nonlocal looks
            looks += 1
            return False

    class Producer(FakeProducer):
        async def put(self, data, partition_key):  # noqa: ARG002
            return Counting(None)

    delivery = delivery_of(Producer(), problems)
    for number in range(100_000):
        await delivery.put(Line(number, b"x", 1))
    assert looks < 200_000


async def test_the_result_has_the_counts_and_the_shards_in_order(problems):
    delivery = delivery_of(FakeProducer(), problems)
    await delivery.put(Line(1, b"x", 1))
    result = delivery.result("trucks", 2.0)
    assert (result.lines, result.put, result.acknowledged, result.failed, result.ok) == (1, 1, 3, 1, False)
    assert list(result.shards.items()) == [("shardId-0", 1), ("shardId-1", 2)]
    assert str(result) == "2.0 s: 1 lines, 1 put, 3 acknowledged (2/s), 1 failed, 0 refused"
