"""The state machine of one shard, against a model of the service."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.consumer.reading.model_shard import CHILD, EPOCH, FAULTS, ModelConsumer, ModelShard
from tests.consumer.reading.support import SHARD, aggregated, places
from truckstream.consumer.leases.lease import AT_TIMESTAMP, LATEST, TRIM_HORIZON, Checkpoint
from truckstream.consumer.reading.actions import Ended, Fatal, Fetch, NeedIterator, Wait
from truckstream.consumer.reading.prefetch_budget import PrefetchBudget
from truckstream.consumer.reading.shard_buffer import RecordBatch
from truckstream.consumer.reading.shard_reader import ShardReader
from truckstream.consumer.reading.user_records import UserRecords
from truckstream.envelope import Envelope
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.failures import FailureKind
from truckstream.kinesis.reading.position import Position
from truckstream.kinesis.reading.shard_record import RecordsPage, ShardRecord
from truckstream.kpl import Aggregate

OLDEST = Checkpoint(TRIM_HORIZON)


def stored_at(number, at, data=b"data"):
    return ShardRecord(data, "TRUCK_001", str(number), EPOCH + at, SHARD)


def numbers(records):
    return [int(record.sequence_number) for record in records]


def iterators(shard):
    return [kind for _, kind in shard.calls if kind != "GetRecords"]


# --- Any faults, limits, aggregates and restarts ----------------------------------------------------


@given(
    counts=st.lists(st.integers(0, 3), min_size=1, max_size=30),
    gap=st.sampled_from([0.0, 0.05, 3.0, 100.0]),
    faults=st.lists(st.one_of(st.none(), st.sampled_from(FAULTS)), max_size=30),
    steps=st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["go on", "busy", "restart"])), max_size=10),
    capacity=st.sampled_from([1_000, 64 << 20]),
    most=st.integers(1, 6),
    seed=st.integers(0, 5),
)
def test_what_is_delivered_is_the_stream_in_order_without_gaps_or_repetitions(
    counts, gap, faults, steps, capacity, most, seed
):
    """A count is the number of user records of an aggregate; 0 stands for a plain record."""
    stream = [
        stored_at(7 + 3 * index, gap * index, aggregated(1, [(b"x", "k", None)] * count).data if count else b"data")
        for index, count in enumerate(counts)
    ]
    expected = places(UserRecords(SHARD, None, OLDEST).take(stream))
    shard = ModelShard(stream, faults, most=most)
    consumer = ModelConsumer(shard, OLDEST, budget=PrefetchBudget(capacity), seed=seed)
    delivered = []

    for batch, then in steps:
        consumer.run(shard.now + 1.0)
        delivered += places(consumer.deliver(batch))
        if then == "busy":
            shard.now += 290.0
        elif then == "restart" and delivered:
            del delivered[Random(len(delivered)).randrange(len(delivered)) + 1 :]
            number, subsequence = delivered[-1]
            start = Checkpoint(str(number), subsequence or 0)
            consumer = ModelConsumer(shard, start, budget=PrefetchBudget(capacity), seed=seed)
    for _ in range(2_000):
        end = consumer.run(shard.now + 100.0)
        delivered += places(consumer.deliver_all())
        if isinstance(end, Ended):
            break
    assert end == Ended((CHILD,))
    assert delivered == expected


# --- Iterators --------------------------------------------------------------------------------------


def test_a_consumer_that_is_busy_for_35_s_gets_every_record():
    stream = [stored_at(number, 0.02 * number, bytes(100)) for number in range(2_000)]
    shard = ModelShard(stream)
    consumer = ModelConsumer(shard, OLDEST, budget=PrefetchBudget(30_000))
    consumer.run(1.0)
    delivered = consumer.deliver(10)
    assert isinstance(consumer.run(36.0), Wait), "the budget is used up"
    shard.now = 36.0
    while not isinstance(consumer.run(shard.now + 1.0), Ended):
        delivered += consumer.deliver_all()
    delivered += consumer.deliver_all()
    assert numbers(delivered) == list(range(2_000))


def test_an_iterator_that_ages_while_the_budget_is_used_up_is_renewed_before_it_expires():
    shard = ModelShard([stored_at(number, number, bytes(800)) for number in range(400)])
    consumer = ModelConsumer(shard, OLDEST, budget=PrefetchBudget(1_000))
    assert consumer.run(10.0).until == float("inf")
    shard.now = 350.0
    first = consumer.deliver_all()
    consumer.run(351.0)
    assert iterators(shard) == ["TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER"]
    assert numbers(first + consumer.deliver_all()) == list(range(65))


def test_an_iterator_is_used_for_four_and_a_half_minutes():
    consumer = ModelConsumer(ModelShard([], closed=False), OLDEST)
    reader = consumer.reader
    consumer.step()
    assert isinstance(reader.next_action(270.0), Fetch)
    assert reader.next_action(270.1) == NeedIterator(Position("TRIM_HORIZON"))


def test_the_age_of_an_iterator_counts_from_the_call_and_not_from_the_response():
    reader = ModelConsumer(ModelShard([]), OLDEST).reader
    reader.next_action(0.0)
    reader.got_iterator("a")
    assert isinstance(reader.next_action(60.0), Fetch)
    reader.got_page(RecordsPage(records=[], next_iterator="b"))  # at 100.0, say
    assert isinstance(reader.next_action(330.0), Fetch)
    assert isinstance(reader.next_action(330.1), NeedIterator)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredIteratorException", FailureKind.PERMANENT),
        ("InvalidArgumentException", FailureKind.POISONED),
    ],
)
def test_an_iterator_that_the_service_does_not_take_is_renewed_after_the_last_record(code, kind):
    shard = ModelShard([stored_at(6, 0.0), stored_at(7, 0.0)], closed=False)
    consumer = ModelConsumer(shard, OLDEST)
    consumer.run(0.1)
    assert isinstance(consumer.reader.next_action(1.0), Fetch)
    consumer.reader.failed(code, kind, 1.0)
    assert consumer.reader.next_action(1.0) == NeedIterator(Position("AFTER_SEQUENCE_NUMBER", "7"))


@pytest.mark.parametrize(
    ("start", "position"),
    [
        (OLDEST, Position("TRIM_HORIZON")),
        (Checkpoint("7", 2), Position("AT_SEQUENCE_NUMBER", "7")),
        (Checkpoint(AT_TIMESTAMP), Position("AT_TIMESTAMP", timestamp=5.0)),
    ],
)
def test_without_a_record_yet_reading_begins_at_the_start_again(start, position):
    reader = ModelConsumer(ModelShard([]), start, start_time=5.0).reader
    assert reader.next_action(0.0) == NeedIterator(position)
    reader.got_iterator("a")
    assert reader.next_action(300.0) == NeedIterator(position)


def test_a_start_at_latest_skips_no_record_when_its_first_iterator_expires():
    """The records of the second before may be delivered too: clocks differ."""
    shard = ModelShard([stored_at(number, number) for number in range(900)], closed=False)
    shard.now = 50.5
    consumer = ModelConsumer(shard, Checkpoint(LATEST))
    consumer.step()
    assert consumer.reader.next_action(50.6) == Fetch("iterator 0", 512)
    shard.now = 800.0  # the task was cancelled, or the machine slept
    consumer.run(803.0)
    assert shard.calls[1][1] == "AT_TIMESTAMP"
    assert numbers(consumer.deliver_all()) == list(range(50, 803))


def test_a_start_at_latest_asks_for_latest_until_it_has_an_iterator():
    reader = ModelConsumer(ModelShard([]), Checkpoint(LATEST)).reader
    latest = NeedIterator(Position("LATEST"))
    assert reader.next_action(0.0) == latest
    reader.failed("InternalFailure", FailureKind.AMBIGUOUS, 1.0)
    assert reader.next_action(10.0) == latest
    reader.got_iterator("a")
    assert reader.next_action(281.0) == NeedIterator(Position("AT_TIMESTAMP", timestamp=EPOCH + 9.0))


def test_an_ended_checkpoint_cannot_be_read():
    with pytest.raises(InvalidArgumentError, match="nothing to read"):
        ModelConsumer(ModelShard([]), Checkpoint("SHARD_END"))


# --- Failures ---------------------------------------------------------------------------------------


def fetching():
    consumer = ModelConsumer(ModelShard([stored_at(7, 0.0)], closed=False), OLDEST)
    consumer.step()
    assert isinstance(consumer.reader.next_action(0.0), Fetch)
    return consumer


@pytest.mark.parametrize("kind", [FailureKind.AMBIGUOUS, FailureKind.NOT_SENT, FailureKind.CREDENTIALS])
def test_a_lost_response_is_asked_for_again_with_the_same_iterator(kind):
    reader = fetching().reader
    reader.failed("TimeoutError", kind, 1.0)
    assert reader.next_action(2.0) == Fetch("iterator 0", 512)


def test_transient_failures_are_retried_for_ever_with_growing_pauses_of_five_seconds_at_most():
    reader, now, pauses = fetching().reader, 0.0, []
    for _ in range(200):
        reader.failed("InternalFailure", FailureKind.AMBIGUOUS, now)
        action = reader.next_action(now)
        at = action.until if isinstance(action, Wait) else now
        pauses.append(at - now)
        now = at
        while isinstance(action, Wait):
            now = max(now, action.until)
            action = reader.next_action(now)
        if isinstance(action, NeedIterator):
            reader.got_iterator("iterator 0")
            now += 0.3
            assert isinstance(reader.next_action(now), Fetch)
    assert max(pauses) <= 5.0
    assert max(pauses[:2]) <= 0.2
    assert sum(pauses[10:]) / 190 == pytest.approx(2.5, rel=0.2)


def test_a_page_ends_a_series_of_failures():
    reader, now = fetching().reader, 0.0
    for _ in range(50):
        reader.failed("InternalFailure", FailureKind.AMBIGUOUS, now)
        now += 1.0  # the backoff is 0.1 s at most, and an idle shard is asked once a second
        assert isinstance(reader.next_action(now), Fetch)
        reader.got_page(RecordsPage(records=[], next_iterator="b"))
        now += 1.0
        assert isinstance(reader.next_action(now), Fetch)


@pytest.mark.parametrize("code", ["AccessDeniedException", "KMSDisabledException", "UnrecognizedClientException"])
@pytest.mark.parametrize("fetches", [False, True])
def test_a_permanent_failure_is_fatal(code, fetches):
    consumer = fetching() if fetches else ModelConsumer(ModelShard([]), OLDEST)
    consumer.reader.next_action(0.0)
    consumer.reader.failed(code, FailureKind.PERMANENT, 1.0)
    assert consumer.reader.next_action(2.0) == Fatal(code)
    assert consumer.budget.used == 0


@pytest.mark.parametrize("fetches", [False, True])
def test_a_shard_that_does_not_exist_is_ended_and_gone(fetches):
    consumer = fetching() if fetches else ModelConsumer(ModelShard([]), OLDEST)
    consumer.reader.next_action(0.0)
    consumer.reader.failed("ResourceNotFoundException", FailureKind.PERMANENT, 1.0)
    assert consumer.reader.next_action(2.0) == Ended((), is_gone=True)
    assert consumer.budget.used == 0


def test_a_position_or_a_new_iterator_that_is_invalid_is_fatal():
    asking = ModelConsumer(ModelShard([]), OLDEST).reader
    asking.next_action(0.0)
    asking.failed("InvalidArgumentException", FailureKind.POISONED, 1.0)
    assert asking.next_action(2.0) == Fatal("InvalidArgumentException")
    new = fetching().reader
    new.failed("InvalidArgumentException", FailureKind.POISONED, 1.0)
    assert new.next_action(2.0) == Fatal("InvalidArgumentException")


def test_a_service_whose_new_iterators_have_expired_is_asked_with_pauses():
    shard = ModelShard([stored_at(7, 0.0)], [None, "ExpiredIteratorException"] * 30)
    consumer = ModelConsumer(shard, OLDEST)
    assert isinstance(consumer.run(600.0), Ended)
    assert shard.now > 20.0
    assert numbers(consumer.deliver_all()) == [7]


def test_throttled_calls_slow_the_reader_down_and_return_their_reservation():
    consumer = fetching()
    assert consumer.budget.used > 0
    consumer.reader.failed("ProvisionedThroughputExceededException", FailureKind.THROTTLED, 1.0)
    assert consumer.budget.used == 0
    assert consumer.reader.pacer.part == 0.7
    assert 1.1 <= consumer.reader.next_action(1.0).until <= 1.3


def test_a_throttled_iterator_says_nothing_about_the_read_quota():
    reader = ModelConsumer(ModelShard([]), OLDEST).reader
    reader.next_action(0.0)
    reader.failed("ProvisionedThroughputExceededException", FailureKind.THROTTLED, 1.0)
    assert reader.pacer.part == 1.0
    assert isinstance(reader.next_action(1.2), NeedIterator)


# --- The end, the pace and the budget ---------------------------------------------------------------


def test_the_end_of_a_shard_has_its_children_and_the_last_records():
    consumer = ModelConsumer(ModelShard([stored_at(7, 0.0)]), OLDEST)
    assert consumer.run(1.0) == Ended((CHILD,))
    assert numbers(consumer.deliver_all()) == [7]


def test_how_far_behind_the_reader_is_comes_with_the_records():
    consumer = fetching()
    records = [stored_at(8, 0.0)]
    page = RecordsPage(records=records, next_iterator="b", millis_behind=1_500, size=9)
    assert consumer.reader.got_page(page) == RecordBatch(records, 9, 1_500)


def test_a_cancelled_call_is_asked_for_again():
    consumer = ModelConsumer(ModelShard([]), OLDEST)
    assert consumer.reader.next_action(0.0) == consumer.reader.next_action(1.0)
    consumer.step()
    first = consumer.reader.next_action(1.0)
    used = consumer.budget.used
    assert consumer.reader.next_action(1.3) == first == Fetch("iterator 0", 512)
    assert consumer.budget.used == used


def test_a_backlog_is_read_at_two_mib_a_second_in_pages_of_half_a_mib():
    stream = [stored_at(number, 0.0, bytes(489)) for number in range(50_000)]
    shard = ModelShard(stream)
    consumer = ModelConsumer(shard, OLDEST)
    delivered, pages = 0, []
    while not isinstance(consumer.run(shard.now + 0.1), Ended):
        pages.append(len(consumer.deliver_all()))
        delivered += pages[-1]
    delivered += len(consumer.deliver_all())
    assert delivered == 50_000
    assert shard.throttled == 0
    assert max(pages) <= 1_100
    assert 0.93 <= 50_000 * 498 / shard.now / (2 << 20) <= 1.02


def test_empty_pages_hold_nothing_of_the_budget():
    consumer = ModelConsumer(ModelShard([], closed=False), OLDEST)
    consumer.run(30.0)
    assert consumer.budget.used == 0


def test_a_page_whose_records_were_all_processed_before_holds_nothing():
    consumer = ModelConsumer(ModelShard([stored_at(7, 0.0)], closed=False), Checkpoint("7"))
    consumer.run(3.0)
    assert consumer.deliver_all() == []
    assert consumer.budget.used == 0


@pytest.mark.parametrize("kind", [Aggregate, Envelope])
def test_the_user_records_of_an_aggregate_hold_the_bytes_that_they_have_when_it_is_open(kind):
    data = aggregated(7, [(bytes(500), "k", None)] * 1_000, kind).data
    consumer = ModelConsumer(ModelShard([stored_at(7, 0.0, data)]), OLDEST)
    consumer.run(1.0)
    assert consumer.buffer.size == consumer.budget.used == 1_000 * (500 + 150)
    consumer.deliver_all()
    assert consumer.budget.used == 0


def test_a_reader_waits_for_the_budget_and_goes_on_when_bytes_are_released():
    budget = PrefetchBudget(100_000)
    budget.add("other")
    budget.reserve("other", 100_000)
    budget.settle("other", 100_000)
    consumer = ModelConsumer(ModelShard([stored_at(7, 0.0)]), OLDEST, budget=budget)
    assert consumer.run(5.0).until == float("inf")
    budget.release("other", 100_000)
    assert budget.take_granted() == [SHARD]
    assert isinstance(consumer.run(6.0), Ended)


def test_the_same_seed_makes_the_same_history():
    def history(seed):
        shard = ModelShard([stored_at(number, number) for number in range(50)], ["InternalFailure", "lost"] * 5)
        ModelConsumer(shard, OLDEST, seed=seed).run(100.0)
        return shard.calls

    assert history(3) == history(3) != history(4)


def test_a_reader_needs_no_clock_that_begins_at_zero():
    budget = PrefetchBudget()
    budget.add(SHARD)
    records = UserRecords(SHARD, None, OLDEST)
    reader = ShardReader(SHARD, OLDEST, records, budget, Random(1), 1e6, epoch=EPOCH)
    assert isinstance(reader.next_action(1e6), NeedIterator)
    reader.got_iterator("a")
    assert isinstance(reader.next_action(1e6), Fetch)
