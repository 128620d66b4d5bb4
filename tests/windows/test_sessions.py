"""Session windows, with literal times. The gap is 10 s, the disorder 5 s, corrections are allowed for 20 s."""

import pytest

from tests.windows.support import T0, MemorySink, record, short, taken, windows_of
from truckstream.windows import Session


def sessions(*records, **options):
    windows = windows_of(Session(10), **options)
    windows.add(records, T0)
    return windows


def test_a_session_ends_a_gap_after_its_last_record():
    windows = sessions(record(0), record(9), record(18), record(32.9))
    assert taken(windows) == []
    windows.add([record(33)], T0)
    assert taken(windows) == [("a", 0, 28, 3, 3, 1)]


def test_a_pause_of_a_gap_begins_another_session():
    windows = sessions(record(0), record(10), record(100))
    assert taken(windows) == [("a", 0, 10, 1, 1, 1), ("a", 10, 20, 1, 1, 1)]


def test_each_key_has_its_sessions():
    windows = sessions(record(0, "a"), record(5, "b"), record(9, "a"), record(100, "a"))
    assert sorted(taken(windows)) == [("a", 0, 19, 2, 2, 1), ("b", 5, 15, 1, 1, 1)]


def test_a_record_in_disorder_moves_the_start_and_retracts_the_session_with_the_old_one():
    windows = sessions(record(5), record(2), record(100))
    assert taken(windows) == [("a", 5, 15, 2, "retracted"), ("a", 2, 15, 2, 2, 1)]


def test_a_record_joins_two_sessions():
    windows = sessions(record(0, speed=1), record(12, speed=2), record(6, speed=6), record(100))
    assert taken(windows) == [("a", 12, 22, 2, "retracted"), ("a", 0, 22, 3, 3, 3)]


def test_a_late_record_extends_a_session_that_was_emitted():
    windows = sessions(record(0), record(30))
    assert taken(windows) == [("a", 0, 10, 1, 1, 1)]
    windows.add([record(8)], T0)
    assert taken(windows) == [("a", 0, 18, 2, 2, 1)]
    assert windows.late == 1


def test_a_late_record_joins_sessions_that_were_emitted_and_a_sink_keeps_one():
    sink = MemorySink()
    windows = sessions(record(0), record(12), record(28))
    sink.write(windows.take_results(T0))
    assert len(sink.rows) == 2
    windows.add([record(6), record(100)], T0)
    sink.write(windows.take_results(T0))
    assert [short(row) for row in sink.rows] == [("a", 0, 22, 3, 3, 1), ("a", 28, 38, 1, 1, 1)]


def test_an_extended_session_is_open_again():
    windows = sessions(record(0), record(15))
    assert taken(windows) == [("a", 0, 10, 1, 1, 1)]
    windows.add([record(9)], T0)  # the session now ends at 25, and has the record at 15
    assert taken(windows) == [("a", 15, 25, 2, "retracted")]
    windows.add([record(30)], T0)
    assert taken(windows) == [("a", 0, 25, 3, 3, 1)]


def test_a_record_after_the_allowed_lateness_is_dropped():
    windows = sessions(record(0), record(35), record(1))
    assert windows.dropped == {}  # it is a session of its own, which ends at 11
    windows = sessions(record(0), record(36), record(1))
    assert windows.dropped == {"too_late": 1}


def test_a_late_record_may_join_a_session_that_is_still_correctable():
    windows = sessions(record(0), record(8), record(40), record(3))
    assert windows.dropped == {}
    assert taken(windows) == [("a", 0, 18, 3, 3, 1)]


def test_sessions_that_can_change_no_more_leave_memory():
    windows = sessions(*(record(time) for time in range(0, 10_000, 20)))
    taken(windows)
    assert windows.groups <= 3


@pytest.mark.parametrize("gap", [0, -1, "10"])
def test_the_gap_is_checked(gap):
    with pytest.raises(ValueError, match="gap"):
        Session(gap)
