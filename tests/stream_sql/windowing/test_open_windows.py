"""Records come into their windows, and windows end with the watermark. Times are seconds after 08:00."""

import pytest

from tests.stream_sql.support import BASE, line, shard_record
from truckstream import TruckRecord
from truckstream.consumer.leases.lease import SHARD_END, TRIM_HORIZON, Checkpoint
from truckstream.errors import UsageError
from truckstream.stream_sql.records.columns import ColumnBuilder
from truckstream.stream_sql.records.decoding import RecordDecoder
from truckstream.stream_sql.records.event_time import SECOND
from truckstream.stream_sql.windowing.open_windows import BufferedWindows
from truckstream.stream_sql.windowing.window_plan import SqlWindowPlan
from truckstream.windows import Watermark

BEGINNING = Checkpoint(TRIM_HORIZON)
DECODER = RecordDecoder(TruckRecord, "timestamp")


class Windows:
    """Open windows that are fed with seconds after `BASE`, and show them."""

    def __init__(self, length=10, slide=None, *, max_bytes=10**9, lateness=0.0, shards=("shard-1",), **options):
        plan = SqlWindowPlan(length * SECOND, (slide or length) * SECOND)
        watermark = Watermark(out_of_orderness=lateness, idle_after=30)
        columns = ColumnBuilder(TruckRecord, {"kinesis_sequence_number"})
        self.open = BufferedWindows(plan, watermark, columns, max_bytes=max_bytes, lateness=lateness, **options)
        for shard in shards:
            self.open.add_shard(shard, BEGINNING, BASE)
        self.number = 0

    def read(self, *seconds, shard="shard-1", now=20.0, first=None, arrival=None):
        self.number = self.number if first is None else first - 1
        records = []
        for second in seconds:
            self.number += 1
            records.append(shard_record(self.number, line(second), shard=shard, arrival=arrival))
        last = Checkpoint(str(self.number))
        self.open.add(shard, DECODER.decode(records), last, BASE + now)

    def step(self, now=20.0, *, with_changed=False, deliver=True):
        """Return (window, is final, sequence numbers) of each window that is asked."""
        asked = self.open.step(BASE + now, with_changed=with_changed)
        if deliver:
            for each in asked:
                if each.is_final:
                    self.open.delivered(each.window)
        return [(each.window // SECOND - BASE, each.is_final, numbers_in(each.batches)) for each in asked]


def numbers_in(batches):
    return [int(number) for batch in batches for number in batch.column("kinesis_sequence_number").to_pylist()]


def test_a_window_is_final_when_the_watermark_has_passed_its_end():
    windows = Windows(lateness=2)
    windows.read(1, 5, 11)
    assert windows.step() == []
    windows.read(11.9)
    assert windows.step() == []
    windows.read(12)
    assert windows.step() == [(0, True, [1, 2])]
    assert windows.step() == []
    assert windows.open.records == 3


def test_open_windows_are_asked_if_they_changed_since_the_last_step():
    windows = Windows()
    windows.read(1, 2)
    assert windows.step(with_changed=True) == [(0, False, [1, 2])]
    assert windows.step(with_changed=True) == []
    windows.read(3, 12)
    assert windows.step(with_changed=True) == [(0, True, [1, 2, 3]), (10, False, [4])]


def test_a_record_of_a_final_window_is_late_and_counted():
    windows = Windows()
    windows.read(1, 12)
    assert windows.step() == [(0, True, [1])]
    windows.read(9.99, 13)
    assert windows.open.late == 1
    windows.read(25)
    assert windows.step() == [(10, True, [2, 4])]


def test_the_answer_of_a_final_window_has_no_record_that_comes_after_the_step():
    windows = Windows(10, 5)
    windows.read(6, 11)
    asked = windows.open.step(BASE + 20, with_changed=False)
    windows.read(7)
    assert [(each.window // SECOND - BASE, numbers_in(each.batches)) for each in asked] == [(0, [1])]
    assert windows.open.late == 1


def test_in_hopping_windows_a_record_counts_in_those_that_are_open():
    windows = Windows(10, 5)
    windows.read(1, 6, 11)
    assert windows.step() == [(-5, True, [1]), (0, True, [1, 2])]
    windows.read(7, 16)
    assert windows.open.late == 1
    assert windows.step() == [(5, True, [2, 4, 3])]
    windows.read(31)
    assert windows.step() == [(10, True, [3, 5]), (15, True, [5])]
    assert windows.open.records == 1


def test_the_slowest_shard_holds_the_windows_back():
    windows = Windows(shards=("shard-1", "shard-2"))
    windows.read(1, 25)
    assert windows.step() == []
    windows.read(2, 12, shard="shard-2")
    assert windows.step() == [(0, True, [1, 3])]


def test_a_shard_that_ended_holds_them_back_until_its_children_are_read():
    windows = Windows(shards=("shard-1", "shard-2"))
    windows.read(1, 12)
    windows.open.end_shard("shard-1")
    windows.read(25, shard="shard-2")
    assert windows.step() == [(0, True, [1])]
    windows.read(35, shard="shard-2")
    assert windows.step() == []
    windows.open.add_shard("shard-3", BEGINNING, BASE + 20)
    windows.open.release_shard("shard-1")
    windows.read(13, 21, shard="shard-3")
    assert windows.step() == [(10, True, [2, 5])]
    assert windows.open.late == 0


def test_a_shard_at_its_tip_does_not_hold_them_back():
    windows = Windows()
    windows.read(1, arrival=1, now=1)
    windows.open.reach_tip("shard-1", BASE + 9)
    assert windows.step(9) == []
    windows.open.reach_tip("shard-1", BASE + 10)
    assert windows.step(10) == [(0, True, [1])]


def test_a_record_from_a_clock_that_is_far_ahead_is_set_aside_and_counted():
    windows = Windows()
    windows.read(1, 3605, 3699, arrival=5)
    assert (windows.open.ahead, windows.open.records) == (1, 2)
    assert windows.step() == []  # the clock of the second record does not end the window of the first one


def test_simulated_times_may_be_ahead():
    windows = Windows(max_ahead=float("inf"))
    windows.read(1, 9000, arrival=5)
    assert (windows.open.ahead, windows.open.records) == (0, 2)


# --- Going on -----------------------------------------------------------------------------------------


def test_the_next_run_begins_before_the_first_record_of_an_open_window():
    windows = Windows()
    windows.read(1, 2)
    windows.read(12, 3, 13)
    assert windows.open.resume_positions == {"shard-1": BEGINNING}
    windows.step()
    assert windows.open.resume_positions == {"shard-1": Checkpoint("2")}
    windows.read(21)
    windows.step()
    assert windows.open.resume_positions == {"shard-1": Checkpoint("5")}
    assert windows.open.read_positions == {"shard-1": Checkpoint("6")}


def test_without_open_windows_it_begins_after_the_last_record():
    windows = Windows()
    windows.read(1)
    windows.open.reach_tip("shard-1", BASE + 100_000)
    windows.step(100_000)
    assert windows.open.resume_positions == {"shard-1": Checkpoint("1")}


def test_a_window_that_was_not_delivered_is_asked_again_and_keeps_its_records():
    windows = Windows()
    windows.read(1, 12)
    assert windows.step(deliver=False) == [(0, True, [1])]
    assert windows.open.resume_positions == {"shard-1": BEGINNING}
    assert windows.step() == [(0, True, [1])]


def test_what_was_delivered_ends_before_the_first_window_that_was_not():
    windows = Windows(10, 5)
    windows.read(1, 32)
    assert windows.open.delivered_before is None
    asked = [each.window for each in windows.open.step(BASE + 20, with_changed=False)]
    assert asked == [(BASE - 5) * SECOND, BASE * SECOND]
    assert windows.open.delivered_before == BASE * SECOND
    windows.open.delivered(asked[0])
    assert windows.open.delivered_before == (BASE + 5) * SECOND
    windows.open.delivered(asked[1])
    assert windows.open.delivered_before == (BASE + 32) * SECOND


def test_a_shard_that_ended_is_read_again_as_long_as_a_window_needs_it():
    windows = Windows(shards=("shard-1", "shard-2"))
    windows.read(1, 12)
    windows.open.end_shard("shard-1")
    assert windows.open.resume_positions["shard-1"] == BEGINNING
    windows.read(25, shard="shard-2")
    windows.step()
    assert windows.open.resume_positions["shard-1"] == Checkpoint("1")
    windows.open.release_shard("shard-1")
    windows.step()
    assert windows.open.resume_positions["shard-1"] == Checkpoint(SHARD_END)


def test_the_next_run_makes_no_window_again_that_was_final_and_counts_no_record_as_late_twice():
    windows = Windows(closed_before=(BASE + 10) * SECOND, shards=())
    windows.open.add_shard("shard-1", Checkpoint("2"), BASE, replayed_up_to=Checkpoint("4"))
    windows.read(12, 3, first=3)
    assert windows.open.late == 0
    windows.read(5, 22)
    assert windows.open.late == 1
    assert windows.step() == [(10, True, [3])]


# --- Memory -------------------------------------------------------------------------------------------


def test_a_shard_that_is_ahead_waits_for_the_one_that_holds_the_windows_back():
    windows = Windows(max_bytes=7000, shards=("shard-1", "shard-2"))
    windows.read(1, 2)
    windows.read(1, 2, shard="shard-2")
    windows.step()
    windows.read(31, 32)
    assert windows.open.must_wait("shard-1", BASE + 20)
    assert not windows.open.must_wait("shard-2", BASE + 20)  # the windows end only with its records
    windows.read(33, shard="shard-2")
    windows.step()
    assert not windows.open.must_wait("shard-1", BASE + 20)


def test_windows_that_do_not_fit_into_the_memory_end_the_query_with_advice():
    windows = Windows(max_bytes=1024 * 1024)
    windows.read(*[n / 1000 for n in range(1100)])
    windows.step()
    with pytest.raises(UsageError) as raised:
        windows.open.must_wait("shard-1", BASE + 20)
    assert str(raised.value).startswith(
        "the 1 open windows have 1,100 records of 1 MiB, and the memory for them is 1 MiB: take a shorter window"
    )


def test_final_windows_that_are_about_to_be_delivered_do_not_end_the_query():
    windows = Windows(max_bytes=1500)
    windows.read(*[n / 100 for n in range(400)], 12)
    windows.step(deliver=False)
    assert windows.open.must_wait("shard-1", BASE + 20)
    windows.step()
    assert not windows.open.must_wait("shard-1", BASE + 20)


def where_one_waits_for_a_delivery(max_bytes):
    """Return windows of two shards, of which shard-2 is behind and waits since 08:00:21."""
    windows = Windows(max_bytes=max_bytes, shards=("shard-1", "shard-2"))
    windows.read(*[n / 100 for n in range(400)], 12)
    windows.read(11, shard="shard-2")
    windows.step(deliver=False)
    assert windows.open.must_wait("shard-2", BASE + 21)
    return windows


def test_a_shard_that_waits_for_a_long_delivery_is_not_stuck():
    """It would no longer hold the watermark back, and its next records would be late."""
    windows = where_one_waits_for_a_delivery(5_000)
    windows.read(45, now=45)
    windows.open.delivered(BASE * SECOND)
    assert not windows.open.must_wait("shard-2", BASE + 51)
    windows.step(now=51)
    windows.read(12, shard="shard-2", now=52)
    assert windows.open.late == 0
    windows.read(46, now=60)
    windows.step(now=83)  # now it reads nothing, although it does not wait
    windows.read(13, shard="shard-2", now=84)
    assert windows.open.late == 1


def test_a_shard_that_still_waits_at_a_step_is_not_stuck():
    windows = where_one_waits_for_a_delivery(1_500)
    windows.read(45, now=45)
    windows.step(now=51)
    windows.read(12, shard="shard-2", now=52)
    assert windows.open.late == 0


def test_a_shard_that_is_added_again_no_longer_waits():
    """Its reader was cancelled while it waited. If it is not read again, it holds nothing back."""
    windows = where_one_waits_for_a_delivery(5_000)
    windows.open.add_shard("shard-2", BEGINNING, BASE + 22)
    windows.read(45, now=60)
    windows.step(now=60)
    assert windows.open.reached == BASE + 45


def test_the_memory_of_final_windows_is_free_again():
    windows = Windows()
    windows.read(*[n / 100 for n in range(900)])
    assert windows.open.size > 900_000
    windows.step(with_changed=True)
    assert 0 < windows.open.size < 100_000  # as columns, of which there is one
    windows.read(20)
    windows.step()
    windows.step(with_changed=True)
    assert windows.open.records == 1


def test_many_records_become_columns_at_once():
    windows = Windows()
    windows.read(*[n / 1000 for n in range(9000)])
    assert windows.open.size < 2_500_000
    windows.read(10)
    [(_, _, numbers)] = windows.step()
    assert numbers == list(range(1, 9001))
