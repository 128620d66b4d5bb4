"""The windows of one shard, with literal times."""

import math

import pytest

from tests.sample_record import DESCRIBED
from tests.windows.support import SHARD, T0, plan_of, record, taken, windows_of
from truckstream import TruckRecord
from truckstream.errors import InvalidArgumentError, UsageError, WindowsFullError
from truckstream.kinesis.reading.shard_record import ShardRecord
from truckstream.windows import Count, Max, Mean, ShardWindows, Sliding, Tumbling, WindowPlan


def test_a_window_is_emitted_when_the_watermark_reaches_its_end():
    windows = windows_of()
    windows.add([record(1, speed=50), record(9, speed=60), record(14.9)], T0)
    assert taken(windows) == []
    windows.add([record(15)], T0)
    assert taken(windows) == [("a", 0, 10, 2, 2, 55)]


def test_a_result_is_taken_once():
    windows = windows_of()
    windows.add([record(1), record(20)], T0)
    assert len(taken(windows)) == 1
    assert taken(windows) == []


def test_a_window_includes_its_start_and_excludes_its_end():
    windows = windows_of()
    windows.add([record(10), record(19.999_999), record(20), record(30)], T0)
    assert taken(windows) == [("a", 10, 20, 2, 2, 1)]


def test_boundaries_are_exact_with_sizes_that_floats_cannot_hold():
    """1736949600.3 as a float is less than that, and would lie in the window before."""
    windows = windows_of(Tumbling(0.1), out_of_orderness=0)
    windows.add([record(0.3), record(1)], T0)
    assert taken(windows) == [("a", pytest.approx(0.3, abs=1e-6), pytest.approx(0.4, abs=1e-6), 1, 1, 1)]


def test_each_key_has_its_windows():
    windows = windows_of()
    windows.add([record(1, "a"), record(2, "b", speed=3), record(20, "a")], T0)
    assert taken(windows) == [("a", 0, 10, 1, 1, 1), ("b", 0, 10, 1, 1, 3)]


def test_a_record_is_in_each_sliding_window_that_covers_it():
    windows = windows_of(Sliding(size=10, every=5))
    windows.add([record(7), record(30)], T0)
    assert taken(windows) == [("a", 0, 10, 1, 1, 1), ("a", 5, 15, 1, 1, 1)]


def test_a_record_may_be_late_for_one_sliding_window_and_in_time_for_the_next():
    windows = windows_of(Sliding(size=10, every=5))
    windows.add([record(7), record(16)], T0)
    assert taken(windows) == [("a", 0, 10, 1, 1, 1)]
    windows.add([record(8), record(20)], T0)
    assert taken(windows) == [("a", 5, 15, 2, 2, 1), ("a", 0, 10, 2, 2, 1)]
    assert windows.late == 1


def test_a_record_within_the_disorder_is_not_late():
    windows = windows_of()
    windows.add([record(14.9), record(1)], T0)
    assert windows.late == 0


def test_a_late_record_corrects_the_result():
    windows = windows_of()
    windows.add([record(1, speed=50), record(20)], T0)
    assert taken(windows) == [("a", 0, 10, 1, 1, 50)]
    windows.add([record(2, speed=60)], T0)
    (result,) = windows.take_results(T0)
    assert (result.revision, result.late, result.values) == (2, 1, {"records": 2, "mean": 55})
    assert windows.late == 1


def test_late_records_of_one_batch_make_one_correction():
    windows = windows_of()
    windows.add([record(1), record(20)], T0)
    taken(windows)
    windows.add([record(2), record(3)], T0)
    assert taken(windows) == [("a", 0, 10, 3, 3, 1)]


def test_a_late_record_can_be_the_first_of_its_window():
    windows = windows_of()
    windows.add([record(20), record(1)], T0)
    assert taken(windows) == [("a", 0, 10, 1, 1, 1)]


def test_a_record_after_the_allowed_lateness_is_dropped_and_counted():
    windows = windows_of()
    windows.add([record(1), record(34.9), record(2), record(35), record(3)], T0)
    assert taken(windows)[0] == ("a", 0, 10, 2, 2, 1)
    assert windows.dropped == {"too_late": 1}
    assert windows.groups == 1  # that of the first window is gone


def test_a_batch_that_goes_far_ahead_still_emits_the_windows_before():
    windows = windows_of()
    windows.add([record(1), record(1_000)], T0)
    assert taken(windows) == [("a", 0, 10, 1, 1, 1)]


def test_at_the_tip_windows_end_by_the_clock():
    """Else the last window of a fleet that falls silent would never end."""
    windows = windows_of()
    windows.add([record(8, arrival=9)], T0 + 9)
    windows.reach_tip(T0 + 15)
    assert taken(windows, T0 + 15) == []
    windows.reach_tip(T0 + 16)  # 1 s on its way, 5 s of disorder
    assert taken(windows, T0 + 16) == [("a", 0, 10, 1, 1, 1)]


def test_a_record_after_a_tip_is_judged_by_the_records_alone():
    """Where the tip was differs from one reading to the next, so no record may be dropped because of it."""
    windows = windows_of()
    windows.add([record(8)], T0)
    windows.reach_tip(T0 + 1_000)
    assert taken(windows, T0 + 1_000) == [("a", 0, 10, 1, 1, 1)]
    windows.add([record(9)], T0)
    assert taken(windows, T0 + 1_000) == [("a", 0, 10, 2, 2, 1)]
    assert (windows.late, windows.dropped) == (0, {})


def test_a_wrong_clock_makes_no_other_record_late():
    windows = windows_of(max_ahead=3_600)
    windows.add([record(3_000, "wrong", arrival=1), record(2, arrival=2)], T0)
    assert taken(windows) == []
    assert (windows.watermark, windows.late) == (T0 - 3, 0)


def test_a_record_far_in_the_future_is_dropped_and_counted():
    """Its window would stay in memory for years."""
    windows = windows_of(max_ahead=60)
    windows.add([record(61, arrival=0), record(60, arrival=0)], T0)
    assert windows.dropped == {"ahead": 1}
    assert windows.groups == 1


def test_simulated_times_have_no_arrival():
    windows = windows_of(max_ahead=math.inf)
    windows.add([record(1, arrival=-1e9), record(20, arrival=-1e9)], T0)
    assert len(taken(windows)) == 1


@pytest.mark.parametrize("data", [b"", b"{", b'{"truck_id":1}', b"\xff"])
def test_a_record_that_cannot_be_decoded_is_dropped_and_counted(data):
    windows = windows_of()
    windows.add([ShardRecord(data, "a", "1", T0), record(1), record(20)], T0)
    assert (len(taken(windows)), windows.dropped) == (1, {"invalid": 1})


@pytest.mark.parametrize("time", ["yesterday", "", None, True, math.nan, math.inf, [], 10**400])
def test_a_record_without_a_time_is_dropped_and_counted(time):
    windows = windows_of(event_time=lambda _: time)
    windows.add([record(1)], T0)
    assert windows.dropped == {"no_time": 1}


@pytest.mark.parametrize("time", ["2025-01-15 14:00:01", "2025-01-15T14:00:01Z", "2025-01-15T15:00:01+01:00", T0 + 1])
def test_times_are_texts_or_numbers(time):
    windows = windows_of(event_time=lambda _: time)
    windows.add([record(1)], T0)
    assert windows.watermark == T0 - 4


def test_the_cache_of_times_is_bounded():
    windows = windows_of()
    windows.add([record(n / 1_000) for n in range(10_000)], T0)
    assert len(windows._times) <= 4_096
    assert windows.watermark == pytest.approx(T0 + 9.999 - 5)


def test_a_truck_record_is_the_default():
    plan = WindowPlan(window=Tumbling(10), aggregates={"speed": Max("speed"), "records": Count()})
    windows = ShardWindows(plan, SHARD, now=T0)
    windows.add([ShardRecord(TruckRecord.checked(**DESCRIBED).to_json(), "TRUCK_001", "1", T0 + 1_830)], T0)
    assert (windows.groups, windows.dropped) == (1, {})


def test_a_defect_of_the_program_is_raised():
    def broken(_: bytes) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        windows_of(decode=broken).add([record(1)], T0)


def test_the_key_may_be_any_function():
    windows = windows_of(key=lambda reading: (reading.health_status, reading.speed > 50))
    windows.add([record(1, speed=60), record(2, "b", speed=70), record(3, speed=1), record(20)], T0)
    assert taken(windows) == [(("NORMAL", True), 0, 10, 2, 2, 65), (("NORMAL", False), 0, 10, 1, 1, 1)]


def test_a_key_that_no_state_can_hold_is_refused():
    with pytest.raises(InvalidArgumentError, match="a tuple of these"):
        windows_of(key=lambda reading: frozenset(reading.truck_id)).add([record(1)], T0)


def test_one_group_too_many_is_an_error_that_names_the_limit():
    windows = windows_of(max_groups=2)
    with pytest.raises(WindowsFullError, match="max_groups=2 pairs"):
        windows.add([record(1, "a"), record(1, "b"), record(1, "c")], T0)


def test_with_drop_the_records_of_new_groups_are_dropped_and_counted():
    windows = windows_of(max_groups=2, when_full="drop")
    windows.add([record(1, "a"), record(1, "b"), record(1, "c"), record(2, "a"), record(15, "d")], T0)
    assert taken(windows) == [("a", 0, 10, 2, 2, 1), ("b", 0, 10, 1, 1, 1)]
    assert windows.dropped == {"full": 2}


def test_groups_that_can_change_no_more_make_room_within_a_batch():
    windows = windows_of(max_groups=2)
    windows.add([record(1, "a"), record(40, "b"), record(41, "c")], T0)
    assert taken(windows) == [("a", 0, 10, 1, 1, 1)]


def test_a_snapshot_refuses_to_lose_results():
    windows = windows_of()
    windows.add([record(1)], T0)
    with pytest.raises(UsageError, match="call take_results"):
        windows.snapshot()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"window": 10}, "Tumbling"),
        ({"key": 1}, "field"),
        ({"event_time": ""}, "field"),
        ({"decode": None}, "decode"),
        ({"aggregates": {}}, "aggregates"),
        ({"aggregates": {"x": Mean}}, "must be an aggregate"),
        ({"aggregates": {"": Count()}}, "names that are texts"),
        ({"aggregates": {"x": Mean(1)}}, "field"),
        ({"out_of_orderness": -1}, "out_of_orderness"),
        ({"allowed_lateness": math.inf}, "allowed_lateness"),
        ({"max_ahead": -1}, "max_ahead"),
        ({"max_groups": 0}, "max_groups"),
        ({"when_full": "wait"}, "when_full"),
    ],
)
def test_options_are_checked(options, match):
    with pytest.raises(InvalidArgumentError, match=match):
        WindowPlan(**{"window": Tumbling(10), **options})


@pytest.mark.parametrize("make", [lambda: Tumbling(0), lambda: Sliding(10, 3), lambda: Sliding(10, 11)])
def test_window_sizes_are_checked(make):
    with pytest.raises(InvalidArgumentError):
        make()


def test_plans_with_other_windows_have_other_identities():
    assert "0x" not in plan_of(key=lambda reading: reading.truck_id).identity  # the next process has other addresses
    assert plan_of().identity != plan_of(Tumbling(20)).identity
    assert plan_of().identity != plan_of(aggregates={"records": Count()}).identity
    assert plan_of().identity == plan_of(allowed_lateness=1, out_of_orderness=1).identity
