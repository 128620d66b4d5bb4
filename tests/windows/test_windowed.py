"""`Windowed`: its arguments, its statistics, its errors, and the SQLite sink."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from tests.consumer.local_client import LocalClient, LocalStream
from tests.consumer.support import HeldShard, on_virtual_time
from tests.windows.simulated import Simulation, use_virtual_clock
from tests.windows.support import SHARD, T0, MemorySink, plan_of, record
from truckstream.consumer import Checkpoint, Consumer
from truckstream.consumer.tables import MemoryTable
from truckstream.errors import InvalidArgumentError, LeaseLostError, LeaseTableError, StoreError, WindowsFullError
from truckstream.windows import ShardWindows, SqliteSink, Tumbling, Windowed, WindowResult
from truckstream.windows.running.shard_processor import WindowProcessor
from truckstream.windows.running.shard_states import ShardStates
from truckstream.windows.state.names import StateNames


class AsyncSink(MemorySink):
    async def write(self, results):
        super().write(results)


def consumer_of(application="speeds", **options):
    return Consumer(LocalClient(LocalStream()), application=application, leases=MemoryTable(), **options)


@pytest.mark.parametrize(
    ("application", "options", "match"),
    [
        ("speeds", {}, "state is None: must be a store"),
        (None, {"state": "states"}, "the consumer must have an application"),
        ("speeds", {"state": "states", "plan": Tumbling(10)}, "must be a WindowPlan"),
        ("speeds", {"state": "states", "sink": print}, "sink"),
        ("speeds", {"state": "states", "checkpoint_interval": -1}, "checkpoint_interval"),
    ],
)
@on_virtual_time
async def test_options_are_checked(application, options, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {"plan": plan_of(), "sink": AsyncSink(), **options}
    with pytest.raises(InvalidArgumentError, match=match):
        Windowed(consumer_of(application), **arguments)


@on_virtual_time
async def test_without_an_application_windows_are_made_and_nothing_is_kept(monkeypatch):
    use_virtual_clock(monkeypatch)
    simulation, sink = Simulation(), AsyncSink()
    simulation.put(20)
    async with Consumer(LocalClient(simulation.stream), leases=MemoryTable()) as consumer:
        windowed = Windowed(consumer, plan_of(Tumbling(2)), sink=sink)
        running = asyncio.ensure_future(windowed.run())
        await asyncio.sleep(20)
        consumer.stop()
        await running
    assert sum(row.values["records"] for row in sink.rows) == 20


@on_virtual_time
async def test_the_statistics_count_records_and_show_the_shards(monkeypatch):
    use_virtual_clock(monkeypatch)
    simulation = Simulation()
    simulation.put(20)
    simulation.stream.call("PutRecord", StreamName="trucks", Data=b"no record", PartitionKey="x")
    async with Consumer(LocalClient(simulation.stream), leases=MemoryTable()) as consumer:
        windowed = Windowed(consumer, plan_of(Tumbling(2)), sink=AsyncSink())
        running = asyncio.ensure_future(windowed.run())
        await asyncio.sleep(5)
        stats = windowed.stats
        assert (stats.records, dict(stats.dropped), list(stats.shards)) == (21, {"invalid": 1}, [f"trucks/{SHARD}"])
        assert stats.shards[f"trucks/{SHARD}"].groups > 0
        consumer.stop()
        await running
        assert (windowed.stats.records, windowed.stats.shards) == (21, {})


@on_virtual_time
async def test_an_error_of_the_sink_stops_the_windows(monkeypatch):
    use_virtual_clock(monkeypatch)

    class Broken:
        async def write(self, _):
            raise OSError("the disk is full")

    simulation = Simulation()
    simulation.put(5)
    async with Consumer(LocalClient(simulation.stream), leases=MemoryTable()) as consumer:
        with pytest.raises(OSError, match="the disk is full"):
            await Windowed(consumer, plan_of(Tumbling(2)), sink=Broken()).run()


@on_virtual_time
async def test_too_many_groups_stop_the_windows_before_anything_is_lost():
    simulation = Simulation()
    simulation.put(50)
    async with Consumer(LocalClient(simulation.stream), leases=MemoryTable()) as consumer:
        with pytest.raises(WindowsFullError):
            await Windowed(consumer, plan_of(Tumbling(2), max_groups=3), sink=AsyncSink()).run()


# --- One shard ----------------------------------------------------------------------------------


class Steps:
    """A store, a lease and a sink that note their calls in order, and fail when they are told to."""

    def __init__(self):
        self.calls, self.failing, self.loaded = [], {}, None
        self.shard = HeldShard()
        self.shard.save = self._step("checkpoint")
        self.states = ShardStates(self.shard, self, StateNames("speeds", "trucks", SHARD))
        self.save, self.delete = self._step("state"), self._step("delete")
        self.write = self._step("results")

    def _step(self, name):
        async def step(*_):
            self.calls.append(name)
            if error := self.failing.get(name):
                raise error

        return step

    async def names(self, _):
        return []

    async def load(self, _):
        if error := self.failing.get("load"):
            raise error
        return self.loaded

    def processor(self, **options):
        arguments = {"checkpoint_interval": 0.0, "wall_clock": lambda: T0, **options}
        return WindowProcessor(self.shard, plan_of(), self.states, self, **arguments)


@on_virtual_time
async def test_results_are_written_then_the_state_then_the_checkpoint():
    """In another order a kill between two of them would lose results, or leave a checkpoint without its state."""
    steps = Steps()
    await steps.processor().process([record(1), record(20)], 100)
    assert steps.calls == ["results", "state", "checkpoint", "delete"]


@on_virtual_time
async def test_a_checkpoint_is_made_once_an_interval():
    steps = Steps()
    processor = steps.processor(checkpoint_interval=10.0)
    for _ in range(3):
        await processor.process([record(1)], 100)
    assert steps.calls == []
    await asyncio.sleep(10)
    await processor.process([record(1)], 100)
    await processor.process([record(1)], 100)
    assert steps.calls == ["state", "checkpoint", "delete"]


@on_virtual_time
async def test_nothing_is_saved_while_no_records_come():
    steps = Steps()
    processor = steps.processor()
    await processor.process([], 0)
    await processor.finish("close")
    assert steps.calls == []


@pytest.mark.parametrize("step", ["state", "checkpoint"])
@on_virtual_time
async def test_a_store_or_table_that_fails_for_now_stops_nothing(step):
    steps = Steps()
    error = StoreError if step == "state" else LeaseTableError
    steps.failing[step] = error("Throttling", "slow down")
    processor = steps.processor()
    await processor.process([record(1)], 100)
    assert "delete" not in steps.calls  # the older state may still be that of the checkpoint
    steps.failing.clear()
    steps.calls.clear()
    await processor.process([record(2)], 100)
    assert steps.calls == ["state", "checkpoint", "delete"]


@on_virtual_time
async def test_a_shard_begins_when_its_state_can_be_read():
    steps = Steps()
    windows = ShardWindows(plan_of(), SHARD, now=T0)
    windows.take_results(T0)
    steps.shard.start, steps.loaded = Checkpoint("7"), windows.snapshot()
    steps.failing["load"] = StoreError("Throttling", "slow down")
    processing = asyncio.ensure_future(steps.processor().process([record(1), record(20)], 100))
    await asyncio.sleep(5)
    assert not processing.done()
    steps.failing.clear()
    await processing
    assert steps.calls == ["results", "state", "checkpoint", "delete"]


@on_virtual_time
async def test_a_store_that_refuses_for_good_stops_the_windows():
    steps = Steps()
    steps.shard.start = Checkpoint("7")
    steps.failing["load"] = StoreError("AccessDenied", "no", retryable=False)
    with pytest.raises(StoreError, match="AccessDenied"):
        await steps.processor().process([record(1)], 100)


@on_virtual_time
async def test_a_lost_lease_ends_the_processor():
    steps = Steps()
    steps.failing["checkpoint"] = LeaseLostError(SHARD)
    with pytest.raises(LeaseLostError):
        await steps.processor().process([record(1)], 100)


@on_virtual_time
async def test_the_end_of_a_shard_waits_for_its_last_state():
    """Without it, the children could not begin."""
    steps = Steps()
    steps.failing["state"] = StoreError("Throttling", "slow down")
    processor = steps.processor(checkpoint_interval=1_000)
    await processor.process([record(1)], 100)
    finishing = asyncio.ensure_future(processor.finish("shard_end"))
    await asyncio.sleep(5)
    assert not finishing.done()
    steps.failing.clear()
    await finishing
    assert set(steps.calls) == {"state"}
    assert processor.has_ended


@on_virtual_time
async def test_the_records_in_hand_are_checkpointed_when_the_lease_moves():
    steps = Steps()
    processor = steps.processor(checkpoint_interval=1_000)
    await processor.process([record(1)], 100)
    await processor.finish("hand_over")
    assert steps.calls == ["state", "checkpoint", "delete"]


@on_virtual_time
async def test_only_an_empty_batch_at_the_tip_ends_windows_by_the_clock():
    steps = Steps()
    processor = steps.processor(wall_clock=lambda: T0 + 1_000, checkpoint_interval=1_000)
    await processor.process([record(1)], 0)
    await processor.process([], 500)
    assert steps.calls == []
    await processor.process([], 0)
    assert steps.calls == ["results"]


@on_virtual_time
async def test_a_shard_that_was_not_begun_is_given_back_without_reading_its_state():
    steps = Steps()
    steps.failing["results"] = AssertionError
    steps.shard.start = Checkpoint("7")  # its state does not exist
    await steps.processor().finish("hand_over")
    assert steps.calls == []


@on_virtual_time
async def test_shards_of_two_streams_with_the_same_id_have_results_of_their_own():
    """In one sink, the results of one stream would replace those of the other."""
    parts = set()
    for stream in ("east", "west"):
        shard = HeldShard()
        shard.stream_name = stream
        sink = AsyncSink()
        processor = WindowProcessor(shard, plan_of(), None, sink, checkpoint_interval=1_000, wall_clock=lambda: T0)
        await processor.process([record(1), record(20)], 100)
        parts |= {row.part for row in sink.rows}
    assert parts == {f"east/{SHARD}", f"west/{SHARD}"}


# --- SQLite -------------------------------------------------------------------------------------


def result(key="a", revision=1, records=1, *, start=0, part=SHARD, **more):
    times = (datetime.fromtimestamp(T0 + start + each, UTC) for each in (0, 10))
    fields = dict(zip(("start", "end"), times, strict=True))
    return WindowResult(key=key, revision=revision, part=part, values={"records": records}, **fields, **more)


def rows(path, columns='key, revision, "values", is_retracted'):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT {columns} FROM windows ORDER BY key, start, part").fetchall()


async def test_a_sink_keeps_the_highest_revision_whatever_comes_again(tmp_path):
    sink = SqliteSink(tmp_path / "results.sqlite")
    await sink.write([result(revision=1), result(revision=2, records=2)])
    await sink.write([result(revision=1), result("b")])
    await sink.write([result(revision=2, records=2)])
    assert rows(tmp_path / "results.sqlite") == [("a", 2, '{"records":2}', 0), ("b", 1, '{"records":1}', 0)]


async def test_a_retracted_result_does_not_come_back(tmp_path):
    sink = SqliteSink(tmp_path / "results.sqlite")
    await sink.write([result(revision=1), result(revision=2, is_retracted=True)])
    await sink.write([result(revision=1)])
    assert rows(tmp_path / "results.sqlite", "revision, is_retracted") == [(2, 1)]


async def test_parts_and_starts_are_rows_of_their_own(tmp_path):
    sink = SqliteSink(tmp_path / "results.sqlite")
    await sink.write([result(), result(part="other"), result(start=10)])
    assert len(rows(tmp_path / "results.sqlite")) == 3


async def test_keys_that_are_no_texts_are_json(tmp_path):
    sink = SqliteSink(tmp_path / "results.sqlite")
    await sink.write([result(None), result(7), result(("x", 1))])
    assert [row[0] for row in rows(tmp_path / "results.sqlite")] == ["7", '["x",1]', "null"]


async def test_several_shards_write_at_the_same_time(tmp_path):
    sink = SqliteSink(tmp_path / "results.sqlite")
    await asyncio.gather(*(sink.write([result(str(n)) for n in range(20)]) for _ in range(10)))
    assert len(rows(tmp_path / "results.sqlite")) == 20


@pytest.mark.parametrize("table", ["", "a b", 'x"; DROP TABLE windows; --', None])
def test_the_name_of_the_table_is_checked(table, tmp_path):
    with pytest.raises(InvalidArgumentError, match="table"):
        SqliteSink(tmp_path / "results.sqlite", table=table)
