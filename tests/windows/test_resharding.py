"""A truck's windows continue through splits and merges: states pass from parents to children."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.windows.support import T0, MemorySink, plan_of, record
from truckstream.kinesis.limits import MAX_HASH_KEY
from truckstream.kinesis.shard_map import hash_key_of
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
)

HALF = 2**127
WHOLE, LOW, HIGH = (0, MAX_HASH_KEY), (0, HALF - 1), (HALF, MAX_HASH_KEY)
KINDS = [Tumbling(10), Sliding(12, 4), Session(5)]


class Fleet:
    """Reads shards one after the other, writes their results to one sink, and keeps their last states."""

    def __init__(self, kind, **options):
        self.plan = plan_of(kind, allowed_lateness=1_000, **options)
        self.sink = MemorySink()
        self.states = {}

    def read(self, shard, hash_range, parents, records):
        windows = ShardWindows(self.plan, shard, hash_range=hash_range, now=T0)
        windows.inherit([self.states[parent] for parent in parents], T0)
        windows.add(records, T0)
        self.sink.write(windows.take_results(T0))
        self.states[shard] = windows.snapshot()
        return windows

    def rows(self, *, with_part):
        rows = [(row.key, row.start, row.end, row.values, row.part) for row in self.sink.rows if row.key != "z"]
        return sorted((row if with_part else row[:4] for row in rows), key=repr)


def owner_of(record):
    return LOW if hash_key_of(record.partition_key.encode()) < HALF else HIGH


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@settings(max_examples=60, deadline=None)
@given(
    phases=st.tuples(
        *[st.lists(st.tuples(st.integers(0, 400), st.sampled_from("abcdef")), max_size=20) for _ in range(3)]
    )
)
def test_results_are_those_of_a_stream_that_was_never_resharded(kind, phases):
    before, between, after = ([record(time / 10, truck) for time, truck in phase] for phase in phases)
    last = [record(5_000, "z")]
    whole, resharded = Fleet(kind), Fleet(kind)
    whole.read("only", WHOLE, [], before + between + after + last)
    resharded.read("parent", WHOLE, [], before)
    for shard, owned in (("low", LOW), ("high", HIGH)):
        resharded.read(shard, owned, ["parent"], [each for each in between if owner_of(each) is owned])
    resharded.read("merged", WHOLE, ["low", "high"], after + last)
    assert resharded.rows(with_part=False) == whole.rows(with_part=False)


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: type(kind).__name__)
@settings(max_examples=60, deadline=None)
@given(
    phases=st.tuples(
        *[st.lists(st.tuples(st.integers(0, 400), st.sampled_from("abcdef")), max_size=20) for _ in range(3)]
    )
)
def test_the_parts_of_a_key_of_all_trucks_make_the_whole(kind, phases):
    """Records of the key come from both shards. Each counts once, in some part."""
    before, between, after = ([record(time / 10, truck) for time, truck in phase] for phase in phases)
    fleet = Fleet(kind, key=lambda _: "all", aggregates={"records": Count()})
    whole = Fleet(kind, key=lambda _: "all", aggregates={"records": Count()})
    whole.read("only", WHOLE, [], before + between + after + [record(5_000)])
    fleet.read("parent", WHOLE, [], before)
    for shard, owned in (("low", LOW), ("high", HIGH)):
        fleet.read(shard, owned, ["parent"], [each for each in between if owner_of(each) is owned])
    fleet.read("merged", WHOLE, ["low", "high"], [*after, record(5_000)])

    def totals(rows):
        found = {}
        for _, start, _, values, *_ in rows:
            found[start] = found.get(start, 0) + values["records"]
        return found

    assert totals(fleet.rows(with_part=True)) == totals(whole.rows(with_part=True))


def test_the_windows_of_a_truck_keep_their_part():
    """Else a sink would have two rows: one of the parent, one of the child."""
    fleet = Fleet(Tumbling(10))
    fleet.read("parent", WHOLE, [], [record(1, "a"), record(20, "a")])
    child = LOW if owner_of(record(1, "a")) is LOW else HIGH
    fleet.read("child", child, ["parent"], [record(2, "a"), record(100, "a")])
    assert [(row[3]["records"], row[4]) for row in fleet.rows(with_part=True)] == [(1, "parent"), (2, "parent")]


def test_a_group_whose_explicit_hash_key_is_unknown_has_one_heir():
    """The partition key hashes to the upper half, but the shard that has the record owns the lower one."""
    (truck,) = [each for each in "abcdef" if owner_of(record(0, each)) is HIGH][:1]
    fleet = Fleet(Tumbling(10))
    fleet.read("parent", LOW, [], [record(1, truck)])
    first, second = (0, HALF // 2 - 1), (HALF // 2, HALF - 1)
    heirs = [fleet.read(f"child of {each}", each, ["parent"], []).groups for each in (first, second)]
    assert heirs == [0, 1]


def test_the_explicit_hash_key_of_an_aggregated_record_decides():
    one = record(1, "a")
    one.explicit_hash_key = str(HALF)
    fleet = Fleet(Tumbling(10))
    fleet.read("parent", WHOLE, [], [one])
    assert [fleet.read(f"{each}", each, ["parent"], []).groups for each in (LOW, HIGH)] == [0, 1]


def test_after_a_merge_the_parent_that_is_behind_makes_no_record_late():
    fleet = Fleet(Tumbling(10))
    fleet.read("low", LOW, [], [record(100, "a")])
    fleet.read("high", HIGH, [], [record(30, "b")])
    assert fleet.read("merged", WHOLE, ["low", "high"], [record(26, "b")]).late == 0


@settings(max_examples=100, deadline=None)
@given(
    speeds=st.lists(st.integers(-100, 100), min_size=3, max_size=30),
    cuts=st.tuples(st.integers(0, 30), st.integers(0, 30)),
)
def test_merging_is_associative_and_equals_adding(speeds, cuts):
    """Of all aggregates; the values are whole numbers, whose sums no rounding changes."""
    first, second = sorted(min(cut, len(speeds)) for cut in cuts)
    parts = speeds[:first], speeds[first:second], speeds[second:]
    for aggregate in (Count(), Sum("x"), Mean("x"), Min("x"), Max("x"), CountBy("x"), Percentiles("x")):

        def accumulator(values, aggregate=aggregate):
            made = aggregate.new()
            made.add(values)
            return made

        left = accumulator(parts[0])
        left.merge(accumulator(parts[1]))
        left.merge(accumulator(parts[2]))
        right = accumulator(parts[1])
        right.merge(accumulator(parts[2]))
        all_right = accumulator(parts[0])
        all_right.merge(right)
        straight = accumulator(speeds)
        assert left.value() == all_right.value() == straight.value()
        assert aggregate.restore(straight.state()).value() == straight.value()
