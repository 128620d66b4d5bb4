"""The poller's decisions, as stories with literal times."""

import msgspec
import pytest

from tests.local.support import EVENTS, FAILED, SUCCEEDED, T0, PolledShard, progressed
from truckstream.local.mapping.mapping_settings import PAYLOAD_BYTES


def test_a_full_batch_is_invoked_at_once():
    shard = PolledShard(batch_size=3)
    shard.put(0, "a", "b", "c", "d")
    shard.poll(0)
    assert shard.batch(0) == ["a", "b", "c"]


def test_a_batch_that_is_not_full_waits_for_the_end_of_its_window():
    """The window begins when the first record starts to wait, and new records are added to the batch."""
    shard = PolledShard(batch_size=10)
    shard.poll(0)
    shard.put(1, "a")
    shard.poll(1)
    assert (shard.batch(1), shard.next_time(1)) == (None, 2)
    shard.put(2, "b")
    shard.poll(2)
    assert shard.batch(5.9) is None
    assert shard.batch(6) == ["a", "b"]


def test_draining_waits_for_no_poll_and_no_window():
    shard = PolledShard(batch_size=10)
    shard.poll(0)
    shard.put(0.1, "a")
    assert not shard.poll(0.1)
    assert shard.poll(0.1, draining=True)
    assert shard.batch(0.1, draining=True) == ["a"]


def test_a_shard_is_polled_once_a_second_and_not_during_an_invocation():
    shard = PolledShard(batch_size=2)
    assert shard.poll(0)
    assert not shard.poll(0.9)
    shard.put(0.9, "a", "b", "c")
    assert shard.poll(1)
    assert shard.batch(1) == ["a", "b"]
    assert not shard.poll(3)
    shard.settle(3, SUCCEEDED)
    assert shard.poll(3)


def test_one_batch_is_in_flight_at_a_time():
    shard = PolledShard(batch_size=1)
    shard.put(0, "a", "b")
    shard.poll(0)
    assert shard.batch(0) == ["a"]
    assert shard.poller.in_flight == 1
    assert shard.batch(0) is None
    shard.settle(1, SUCCEEDED)
    assert shard.batch(1) == ["b"]


def test_a_batch_ends_at_six_megabytes():
    """Records of 100 kB make 133 kB of event each: 47 fit into 6 MiB."""
    shard = PolledShard(batch_size=1_000)
    shard.put(0, *map(str, range(60)), size=100_000)
    shard.poll(0)
    assert len(shard.batch(0)) == 47
    shard.settle(0, SUCCEEDED)
    assert shard.batch(0) is None  # 13 wait for their window
    assert len(shard.batch(5)) == 13


@pytest.mark.parametrize("size", [40_000, 100_000, 300_000, 1_000_000])
def test_an_event_is_as_full_as_six_megabytes_allow(size):
    shard = PolledShard(batch_size=1_000)
    for start in range(0, 200, 10):
        shard.put(0, *map(str, range(start, start + 10)), size=size)
    shard.poll(0)
    records = shard.poller.next_batch(T0)
    one_more = [*records, records[0]]
    full, over = (len(msgspec.json.encode(EVENTS.make(each))) for each in (records, one_more))
    assert full <= PAYLOAD_BYTES < over


def test_the_last_records_of_a_closed_shard_do_not_wait():
    shard = PolledShard(batch_size=10)
    shard.put(0, "a")
    shard.api(1, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    shard.poll(1)
    assert shard.batch(1) == ["a"]
    assert not shard.poller.is_finished
    shard.settle(2, SUCCEEDED)
    assert shard.poller.is_finished


def test_a_failed_batch_is_retried_after_a_pause_that_doubles():
    shard = PolledShard(batch_size=2)
    shard.put(0, "a", "b")
    shard.poll(0)
    times = [0.0]
    for _ in range(4):
        assert shard.batch(times[-1]) == ["a", "b"]
        shard.settle(times[-1], FAILED)
        assert shard.batch(times[-1]) is None
        times.append(shard.next_time(times[-1]))
    assert times == [0, 0.5, 1.5, 3.5, 7.5]


def test_the_rest_of_a_batch_is_a_batch_of_its_own():
    """It is not topped up with newer records, and the records before it are processed."""
    shard = PolledShard(batch_size=3)
    shard.put(0, "a", "b", "c", "d")
    shard.poll(0)
    shard.batch(0)
    shard.settle(0, progressed(1))
    assert shard.poller.position == 2
    assert shard.batch(1) == ["b", "c"]
    assert shard.poller.counts.processed == 1


def test_the_rest_of_a_batch_may_be_topped_up_with_newer_records():
    """With waiting records, and with records that came during the pause, up to the batch size."""
    shard = PolledShard(batch_size=4, tail="topped up")
    shard.put(0, "a", "b", "c", "d", "e")
    shard.poll(0)
    assert shard.batch(0) == ["a", "b", "c", "d"]
    shard.settle(1, progressed(2))
    shard.put(1.2, "f", "g")
    assert shard.batch(1.2) is None
    assert shard.poll(1.5)
    assert shard.batch(1.5) == ["c", "d", "e", "f"]
    shard.settle(2, SUCCEEDED)
    assert shard.batch(2, draining=True) == ["g"]


def test_a_rest_is_topped_up_as_far_as_the_event_has_room():
    shard = PolledShard(batch_size=9, tail="topped up")
    shard.put(0, "a", "b", "c", size=2**20 - 1)
    shard.put(0, "d", "e", "f", size=2**20 - 1)
    shard.poll(0)
    assert shard.batch(0) == ["a", "b", "c", "d"]
    shard.settle(1, progressed(3))
    assert shard.batch(2) == ["d", "e", "f"]
    shard.put(3, "g", size=2**20 - 1)
    shard.settle(3, progressed(1))
    shard.put(3, "h", size=2**20 - 1)
    shard.put(3, "i", size=2**20 - 1)
    shard.poll(4)
    assert shard.batch(4) == ["e", "f", "g", "h"]


def test_a_random_choice_decides_if_it_may_be_either():
    alone = 0
    shard = PolledShard(batch_size=3, tail="either", retry_base_in_seconds=0)
    for second in range(100):
        shard.put(second, "a", "b", "c", "d")
        shard.poll(second)
        shard.batch(second)
        shard.settle(second, progressed(2))
        rest = shard.batch(second)
        alone += len(rest) == 1
        shard.settle(second, SUCCEEDED)
        while shard.batch(second, draining=True):
            shard.settle(second, SUCCEEDED)
    assert alone == 50


def test_recorded_on_aws_the_poison_record_is_delivered_five_times():
    """Batches of 3 records, 3 retries, and six records of which the last always fails."""
    shard = PolledShard(batch_size=3, maximum_retry_attempts=3)
    shard.put(0, *"123456")
    shard.poll(0)
    delivered, now = [], 0.0
    while (batch := shard.batch(now)) is not None:
        delivered += batch
        if "6" not in batch:
            shard.settle(now, SUCCEEDED)
        else:
            shard.settle(now, progressed(batch.index("6")) if len(batch) > 1 else FAILED)
        now = shard.next_time(now)
    assert {name: delivered.count(name) for name in "123456"} == {"1": 1, "2": 1, "3": 1, "4": 1, "5": 1, "6": 5}
    assert shard.discards == [(["6"], "RetryAttemptsExhausted", 4)]
    assert shard.poller.position == 7


def test_without_retries_a_failed_batch_is_discarded():
    shard = PolledShard(batch_size=2, maximum_retry_attempts=0)
    shard.put(0, *"abc")
    shard.poll(0)
    shard.batch(0)
    shard.settle(0, FAILED)
    assert shard.discards == [(["a", "b"], "RetryAttemptsExhausted", 1)]
    assert shard.poller.counts.discarded == 2
    assert shard.batch(6) == ["c"]


def test_bisection_finds_the_poison_record_without_using_retries():
    """8 records, one poisoned, 1 retry: 3 splits, then the record alone fails twice and is discarded alone."""
    shard = PolledShard(batch_size=8, maximum_retry_attempts=1, bisect_batch_on_function_error=True)
    shard.put(0, *"abcdefgh")
    shard.poll(0)
    invoked, now = [], 0.0
    while (batch := shard.batch(now)) is not None:
        invoked.append("".join(batch))
        shard.settle(now, FAILED if "f" in batch else SUCCEEDED)
        now = shard.next_time(now)
    assert invoked == ["abcdefgh", "abcd", "efgh", "ef", "e", "f", "f", "gh"]
    assert shard.discards == [(["f"], "RetryAttemptsExhausted", 2)]
    assert shard.poller.counts.processed == 7


def test_a_split_keeps_the_retries_that_are_left():
    """If no retry was used before the bisection, each single record still has its own retry."""
    shard = PolledShard(batch_size=2, maximum_retry_attempts=1, bisect_batch_on_function_error=True)
    shard.put(0, *"ab")
    shard.poll(0)
    invoked, now = [], 0.0
    while (batch := shard.batch(now)) is not None:
        invoked.append("".join(batch))
        shard.settle(now, FAILED)
        now = shard.next_time(now)
    assert invoked == ["ab", "a", "a", "b", "b"]


def test_records_over_the_maximum_age_are_discarded_before_an_invocation():
    shard = PolledShard(batch_size=2, maximum_record_age_in_seconds=60)
    shard.put(0, "old")
    shard.put(50, "new")
    shard.poll(61)
    assert shard.batch(61) == ["new"]
    assert shard.discards == [(["old"], "RecordAgeExceeded", 0)]
    shard.settle(61, FAILED)
    assert shard.batch(200) is None
    assert shard.discards[1:] == [(["new"], "RecordAgeExceeded", 1)]
    assert shard.poller.position == 3


def test_the_iterator_age_is_that_of_the_batchs_last_record_at_its_end():
    shard = PolledShard(batch_size=2)
    shard.put(0, "a")
    shard.put(3, "b")
    shard.poll(3)
    shard.batch(3)
    shard.settle(10, SUCCEEDED)
    assert shard.poller.counts.iterator_age == pytest.approx(7)


def test_after_a_return_to_the_checkpoint_it_reads_and_cuts_again():
    """The batch, its retries and the backlog are forgotten. Records that were processed do not come again."""
    shard = PolledShard(batch_size=3, maximum_retry_attempts=1)
    shard.put(0, *"abcde")
    shard.poll(0)
    shard.batch(0)
    shard.settle(0, progressed(1))
    shard.batch(1)
    shard.settle(1, FAILED)
    shard.poller.return_to_checkpoint(T0 + 2)
    assert shard.batch(2) is None
    assert shard.poll(2)
    assert shard.batch(2) == ["b", "c", "d"]
    shard.settle(2, FAILED)
    assert shard.discards == []
    assert shard.poller.counts.processed == 1


def test_its_repr_answers_the_on_call_question():
    shard = PolledShard(batch_size=2)
    shard.put(0, *"abc")
    shard.poll(0)
    shard.batch(0)
    assert repr(shard.poller) == "<ShardPoller at 1: 1 waiting, 2 in flight>"
