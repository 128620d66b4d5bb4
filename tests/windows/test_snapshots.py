"""Snapshot, kill and restore at any moment change nothing; states of other versions or windows are refused."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.windows.support import SHARD, T0, MemorySink, plan_of, record, taken, windows_of
from truckstream.errors import WindowStateError
from truckstream.windows import (
    Count,
    CountBy,
    Max,
    Mean,
    Min,
    Percentiles,
    Session,
    ShardWindows,
    Sliding,
    Sum,
    Tumbling,
    WindowPlan,
)

AGGREGATES = {
    "records": Count(),
    "total": Sum("speed"),
    "mean": Mean("speed"),
    "low": Min("speed"),
    "high": Max("speed"),
    "percentiles": Percentiles("speed"),
    "health": CountBy("health_status"),
}
KINDS = [Tumbling(10), Sliding(12, 4), Session(5)]

records = st.lists(
    st.builds(
        lambda time, truck, speed, health: record(time / 10, truck, speed, health_status=health),
        st.integers(0, 1_000),
        st.sampled_from("ab"),
        st.one_of(st.none(), st.floats(-100, 100)),
        st.sampled_from(["NORMAL", "URGENT"]),
    ),
    max_size=40,
)
#: Read so many records; or take results, at the tip or not; or save a checkpoint; or be killed.
steps = st.lists(st.one_of(st.integers(1, 10), st.sampled_from(["results", "tip", "save", "kill"])), max_size=40)


class Reader:
    """A reader of one shard that saves its position with its state, and may be killed."""

    def __init__(self, plan: WindowPlan, records: list, sink: MemorySink) -> None:
        self.plan, self.records, self.sink = plan, records, sink
        self.saved: tuple[int, bytes | None] = (0, None)
        self.begin()

    def begin(self) -> None:
        self.position, state = self.saved
        self.windows = ShardWindows(self.plan, SHARD, now=T0)
        if state is not None:
            self.windows.restore(state, T0)

    def step(self, step: int | str) -> None:
        match step:
            case int():
                self.windows.add(self.records[self.position : self.position + step], T0)
                self.position = min(self.position + step, len(self.records))
            case "kill":
                self.begin()
            case _:
                if step == "tip":
                    self.windows.reach_tip(T0 + self.position)
                self.sink.write(self.windows.take_results(T0 + self.position))
                if step == "save":
                    self.saved = self.position, self.windows.snapshot()

    def finish(self) -> None:
        self.step(len(self.records))
        self.windows.add([record(1_000, "z"), record(2_000, "z")], T0)
        self.step("results")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@settings(max_examples=150, deadline=None)
@given(records=records, steps=steps)
def test_a_kill_at_any_moment_changes_nothing(kind, records, steps):
    """Neither does the division into batches, nor when a tip was reached: the rows are the same to the last bit."""
    plan = plan_of(kind, aggregates=AGGREGATES, allowed_lateness=15)
    straight, interrupted = MemorySink(), MemorySink()
    Reader(plan, records, straight).finish()
    reader = Reader(plan, records, interrupted)
    for step in steps:
        reader.step(step)
    reader.finish()
    assert interrupted.rows == straight.rows


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@settings(max_examples=60, deadline=None)
@given(records=records)
def test_a_restored_snapshot_makes_the_same_snapshot(kind, records):
    windows = windows_of(kind, aggregates=AGGREGATES)
    windows.add(records, T0)
    windows.take_results(T0)
    state = windows.snapshot()
    again = windows_of(kind, aggregates=AGGREGATES)
    again.restore(state, T0)
    again.take_results(T0)
    assert msgspec.msgpack.decode(again.snapshot()) == msgspec.msgpack.decode(state)


def test_a_restored_reader_does_not_repeat_results_that_were_due_before():
    windows = windows_of()
    windows.add([record(1), record(20)], T0)
    taken(windows)
    state = windows.snapshot()
    again = windows_of()
    again.restore(state, T0)
    assert taken(again) == []
    again.add([record(35)], T0)
    assert taken(again) == [("a", 20, 30, 1, 1, 1)]


def test_a_state_without_records_restores_to_nothing():
    windows = windows_of()
    windows.take_results(T0)
    again = windows_of()
    again.restore(windows.snapshot(), T0)
    assert (again.groups, again.watermark) == (0, None)


def test_keys_of_all_kinds_survive():
    keys = iter([None, 7, 1.5, ("x", 1), "text"])
    windows = windows_of(key=lambda _: next(keys))
    windows.add([record(1)] * 5, T0)
    windows.take_results(T0)
    again = windows_of(key=windows._plan.key)
    again.restore(windows.snapshot(), T0)
    again.add([], T0)
    again.reach_tip(T0 + 100)
    assert [row[0] for row in taken(again, T0 + 100)] == [None, 7, 1.5, ("x", 1), "text"]


def state_of_one_record() -> bytes:
    windows = windows_of()
    windows.add([record(1)], T0)
    windows.take_results(T0)
    return windows.snapshot()


@pytest.mark.parametrize("data", [b"", b"\x93", b"state", state_of_one_record()[:-3]])
def test_bytes_that_are_no_state_are_refused(data):
    with pytest.raises(WindowStateError, match="its bytes are no state"):
        windows_of().restore(data, T0)


def test_a_state_of_another_version_is_refused():
    data = msgspec.msgpack.encode({**msgspec.msgpack.decode(state_of_one_record()), "version": 2})
    with pytest.raises(WindowStateError, match="version 2, and this truckstream reads version 1"):
        windows_of().restore(data, T0)


@pytest.mark.parametrize("other", [{"window": Tumbling(20)}, {"aggregates": {"records": Count()}}, {"key": "speed"}])
def test_a_state_of_other_windows_is_refused(other):
    with pytest.raises(WindowStateError, match="belongs to other windows"):
        windows_of(**other).restore(state_of_one_record(), T0)


def test_the_lateness_may_change():
    again = windows_of(allowed_lateness=100, out_of_orderness=0)
    again.restore(state_of_one_record(), T0)
    again.add([record(10)], T0)
    assert taken(again) == [("a", 0, 10, 1, 1, 1)]
