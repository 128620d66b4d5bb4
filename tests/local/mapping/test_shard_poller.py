"""The pilot's decisions, as stories with literal times."""

import msgspec
import pytest

from tests.local.support import EVENTS, FAILED, SUCCEEDED, T0, Flight, progressed
from truckstream.local.mapping.mapping_settings import PAYLOAD_BYTES


def test_a_full_batch_flies_at_once():
    flight = Flight(batch_size=3)
    flight.put(0, "a", "b", "c", "d")
    flight.poll(0)
    assert flight.batch(0) == ["a", "b", "c"]


def test_a_batch_that_is_not_full_waits_for_the_end_of_its_window():
    """The window begins when the first record waits, and new records join it."""
    flight = Flight(batch_size=10)
    flight.poll(0)
    flight.put(1, "a")
    flight.poll(1)
    assert (flight.batch(1), flight.next_time(1)) == (None, 2)
    flight.put(2, "b")
    flight.poll(2)
    assert flight.batch(5.9) is None
    assert flight.batch(6) == ["a", "b"]


def test_in_a_hurry_nothing_waits_for_a_poll_or_a_window():
    flight = Flight(batch_size=10)
    flight.poll(0)
    flight.put(0.1, "a")
    assert not flight.poll(0.1)
    assert flight.poll(0.1, hurry=True)
    assert flight.batch(0.1, hurry=True) == ["a"]


def test_a_shard_is_polled_once_a_second_and_not_beside_a_batch():
    flight = Flight(batch_size=2)
    assert flight.poll(0)
    assert not flight.poll(0.9)
    flight.put(0.9, "a", "b", "c")
    assert flight.poll(1)
    assert flight.batch(1) == ["a", "b"]
    assert not flight.poll(3)
    flight.settle(3, SUCCEEDED)
    assert flight.poll(3)


def test_one_batch_is_in_flight_at_a_time():
    flight = Flight(batch_size=1)
    flight.put(0, "a", "b")
    flight.poll(0)
    assert flight.batch(0) == ["a"]
    assert flight.pilot.in_flight == 1
    assert flight.batch(0) is None
    flight.settle(1, SUCCEEDED)
    assert flight.batch(1) == ["b"]


def test_six_megabytes_end_a_batch():
    """Records of 100 kB make 133 kB of event each: 47 fit into 6 MiB."""
    flight = Flight(batch_size=1_000)
    flight.put(0, *map(str, range(60)), size=100_000)
    flight.poll(0)
    assert len(flight.batch(0)) == 47
    flight.settle(0, SUCCEEDED)
    assert flight.batch(0) is None  # 13 wait for their window
    assert len(flight.batch(5)) == 13


@pytest.mark.parametrize("size", [40_000, 100_000, 300_000, 1_000_000])
def test_an_event_is_as_full_as_six_megabytes_allow(size):
    flight = Flight(batch_size=1_000)
    for start in range(0, 200, 10):
        flight.put(0, *map(str, range(start, start + 10)), size=size)
    flight.poll(0)
    records = flight.pilot.next_batch(T0)
    one_more = [*records, records[0]]
    full, over = (len(msgspec.json.encode(EVENTS.make(each))) for each in (records, one_more))
    assert full <= PAYLOAD_BYTES < over


def test_a_closed_shards_last_records_wait_for_nothing():
    flight = Flight(batch_size=10)
    flight.put(0, "a")
    flight.api(1, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    flight.poll(1)
    assert flight.batch(1) == ["a"]
    assert not flight.pilot.is_finished
    flight.settle(2, SUCCEEDED)
    assert flight.pilot.is_finished


def test_a_failed_batch_comes_again_after_a_pause_that_doubles():
    flight = Flight(batch_size=2)
    flight.put(0, "a", "b")
    flight.poll(0)
    times = [0.0]
    for _ in range(4):
        assert flight.batch(times[-1]) == ["a", "b"]
        flight.settle(times[-1], FAILED)
        assert flight.batch(times[-1]) is None
        times.append(flight.next_time(times[-1]))
    assert times == [0, 0.5, 1.5, 3.5, 7.5]


def test_the_rest_of_a_batch_is_a_batch_of_its_own():
    """It is not topped up with newer records, and what came before it is done."""
    flight = Flight(batch_size=3)
    flight.put(0, "a", "b", "c", "d")
    flight.poll(0)
    flight.batch(0)
    flight.settle(0, progressed(1))
    assert flight.pilot.position == 2
    assert flight.batch(1) == ["b", "c"]
    assert flight.pilot.counts.processed == 1


def test_the_rest_of_a_batch_may_be_topped_up_with_newer_records():
    """With those that waited, and with those that came during the pause; never over the batch size."""
    flight = Flight(batch_size=4, tail="topped up")
    flight.put(0, "a", "b", "c", "d", "e")
    flight.poll(0)
    assert flight.batch(0) == ["a", "b", "c", "d"]
    flight.settle(1, progressed(2))
    flight.put(1.2, "f", "g")
    assert flight.batch(1.2) is None
    assert flight.poll(1.5)
    assert flight.batch(1.5) == ["c", "d", "e", "f"]
    flight.settle(2, SUCCEEDED)
    assert flight.batch(2, hurry=True) == ["g"]


def test_a_rest_is_topped_up_as_far_as_the_event_has_room():
    flight = Flight(batch_size=9, tail="topped up")
    flight.put(0, "a", "b", "c", size=2**20 - 1)
    flight.put(0, "d", "e", "f", size=2**20 - 1)
    flight.poll(0)
    assert flight.batch(0) == ["a", "b", "c", "d"]
    flight.settle(1, progressed(3))
    assert flight.batch(2) == ["d", "e", "f"]
    flight.put(3, "g", size=2**20 - 1)
    flight.settle(3, progressed(1))
    flight.put(3, "h", size=2**20 - 1)
    flight.put(3, "i", size=2**20 - 1)
    flight.poll(4)
    assert flight.batch(4) == ["e", "f", "g", "h"]


def test_a_coin_decides_if_it_may_be_either():
    alone = 0
    flight = Flight(batch_size=3, tail="either", retry_base_in_seconds=0)
    for second in range(100):
        flight.put(second, "a", "b", "c", "d")
        flight.poll(second)
        flight.batch(second)
        flight.settle(second, progressed(2))
        rest = flight.batch(second)
        alone += len(rest) == 1
        flight.settle(second, SUCCEEDED)
        while flight.batch(second, hurry=True):
            flight.settle(second, SUCCEEDED)
    assert alone == 50


def test_recorded_on_aws_the_poison_record_is_delivered_five_times():
    """Batches of 3, 3 retries, six records of which the last always fails (design.md, recorded facts)."""
    flight = Flight(batch_size=3, maximum_retry_attempts=3)
    flight.put(0, *"123456")
    flight.poll(0)
    delivered, now = [], 0.0
    while (batch := flight.batch(now)) is not None:
        delivered += batch
        if "6" not in batch:
            flight.settle(now, SUCCEEDED)
        else:
            flight.settle(now, progressed(batch.index("6")) if len(batch) > 1 else FAILED)
        now = flight.next_time(now)
    assert {name: delivered.count(name) for name in "123456"} == {"1": 1, "2": 1, "3": 1, "4": 1, "5": 1, "6": 5}
    assert flight.discards == [(["6"], "RetryAttemptsExhausted", 4)]
    assert flight.pilot.position == 7


def test_without_retries_a_failed_batch_is_discarded():
    flight = Flight(batch_size=2, maximum_retry_attempts=0)
    flight.put(0, *"abc")
    flight.poll(0)
    flight.batch(0)
    flight.settle(0, FAILED)
    assert flight.discards == [(["a", "b"], "RetryAttemptsExhausted", 1)]
    assert flight.pilot.counts.discarded == 2
    assert flight.batch(6) == ["c"]


def test_bisection_finds_the_poison_record_without_using_retries():
    """8 records, one poisoned, 1 retry: 3 splits, then the record alone fails twice and is discarded alone."""
    flight = Flight(batch_size=8, maximum_retry_attempts=1, bisect_batch_on_function_error=True)
    flight.put(0, *"abcdefgh")
    flight.poll(0)
    flights, now = [], 0.0
    while (batch := flight.batch(now)) is not None:
        flights.append("".join(batch))
        flight.settle(now, FAILED if "f" in batch else SUCCEEDED)
        now = flight.next_time(now)
    assert flights == ["abcdefgh", "abcd", "efgh", "ef", "e", "f", "f", "gh"]
    assert flight.discards == [(["f"], "RetryAttemptsExhausted", 2)]
    assert flight.pilot.counts.processed == 7


def test_a_split_keeps_the_retries_that_are_left():
    """Bisection that begins after nothing was used still gives each single record its own retry."""
    flight = Flight(batch_size=2, maximum_retry_attempts=1, bisect_batch_on_function_error=True)
    flight.put(0, *"ab")
    flight.poll(0)
    flights, now = [], 0.0
    while (batch := flight.batch(now)) is not None:
        flights.append("".join(batch))
        flight.settle(now, FAILED)
        now = flight.next_time(now)
    assert flights == ["ab", "a", "a", "b", "b"]


def test_records_over_the_maximum_age_are_discarded_before_they_fly():
    flight = Flight(batch_size=2, maximum_record_age_in_seconds=60)
    flight.put(0, "old")
    flight.put(50, "new")
    flight.poll(61)
    assert flight.batch(61) == ["new"]
    assert flight.discards == [(["old"], "RecordAgeExceeded", 0)]
    flight.settle(61, FAILED)
    assert flight.batch(200) is None
    assert flight.discards[1:] == [(["new"], "RecordAgeExceeded", 1)]
    assert flight.pilot.position == 3


def test_the_iterator_age_is_that_of_the_batchs_last_record_at_its_end():
    flight = Flight(batch_size=2)
    flight.put(0, "a")
    flight.put(3, "b")
    flight.poll(3)
    flight.batch(3)
    flight.settle(10, SUCCEEDED)
    assert flight.pilot.counts.iterator_age == pytest.approx(7)


def test_back_at_its_checkpoint_it_reads_and_cuts_again():
    """Nothing is left of the batch, its retries and the backlog; what was settled does not come again."""
    flight = Flight(batch_size=3, maximum_retry_attempts=1)
    flight.put(0, *"abcde")
    flight.poll(0)
    flight.batch(0)
    flight.settle(0, progressed(1))
    flight.batch(1)
    flight.settle(1, FAILED)
    flight.pilot.return_to_checkpoint(T0 + 2)
    assert flight.batch(2) is None
    assert flight.poll(2)
    assert flight.batch(2) == ["b", "c", "d"]
    flight.settle(2, FAILED)
    assert flight.discards == []
    assert flight.pilot.counts.processed == 1


def test_its_repr_answers_the_on_call_question():
    flight = Flight(batch_size=2)
    flight.put(0, *"abc")
    flight.poll(0)
    flight.batch(0)
    assert repr(flight.pilot) == "<ShardPilot at 1: 1 waiting, 2 in flight>"
