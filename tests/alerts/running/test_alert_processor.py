"""The processor of a shard: nothing is lost when it is killed at any step, and a target that fails stops nothing."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from random import Random

import pytest

from tests.alerts.support import START, record
from tests.virtual_time import run
from truckstream.alerts import read_rules
from truckstream.alerts.running.alert_processor import SAVE_SECONDS, AlertProcessor
from truckstream.alerts.shard.shard_alerts import TIP_MARGIN, ShardAlerts
from truckstream.consumer.leases.lease import Checkpoint
from truckstream.errors import AlertTargetError, LeaseLostError, StoreError
from truckstream.kinesis.reading.shard_record import ShardRecord
from truckstream.kinesis.shard_map import hash_key_of

RULES = read_rules("""
[rules.urgent]
kind = "health"
end_hold = "20s"
[rules.silent]
kind = "silence"
hold = "5m"
end_hold = "0s"
""")
BEGINNING = Checkpoint("TRIM_HORIZON")
#: Over the calls of a run that is not killed.
MOST_CALLS = 30


class Killed(BaseException):
    """The process is killed here."""


@dataclass
class World:
    """What outlives a process: the lease, the states and what the target has received. `kill_at` counts its calls."""

    checkpoint: Checkpoint = BEGINNING
    states: dict = field(default_factory=dict)
    received: list = field(default_factory=list)
    kill_at: int = -1
    calls: int = 0
    owner: int = 0

    def step(self):
        """Count a call, and kill the process at the chosen one."""
        self.calls += 1
        if self.calls == self.kill_at:
            raise Killed

    def assign(self, **fields):
        self.owner += 1
        return Shard(self, self.owner, **fields)


class Shard:
    stream_name = "trucks"
    pending = None

    def __init__(self, world, owner, shard_id="shardId-0", hash_range=None, parent_ids=()):
        self.world, self.owner, self.shard_id = world, owner, shard_id
        self.start, self.hash_range, self.parent_ids = world.checkpoint, hash_range, parent_ids

    @property
    def is_held(self):
        return self.world.owner == self.owner

    def note(self, checkpoint):
        self.world.step()
        self.world.checkpoint = checkpoint
        self.world.step()


class ModelStates:
    """A state store in memory. `failing` has the errors of the next calls."""

    def __init__(self, world):
        self.world = world
        self.failing = []
        self.saves = 0

    async def load(self, shard):
        await self._call()
        return self.world.states.get(shard)

    async def save(self, shard, position, state):
        self.world.step()
        await self._call()
        assert position[0].isdecimal()
        self.world.states[shard] = state
        self.saves += 1
        self.world.step()

    async def _call(self):
        await asyncio.sleep(0.01)
        if self.failing:
            raise self.failing.pop(0)


class ModelTarget:
    """Receives events. `failing` has the errors of the next calls; `hangs` lets no call return."""

    batch = 10

    def __init__(self, world, name="model"):
        self.world, self.name = world, name
        self.failing = []
        self.hangs = False

    async def send(self, events):
        self.world.step()
        await asyncio.sleep(3600 if self.hangs else 0.02)
        if self.failing:
            raise self.failing.pop(0)
        self.world.received += [(self.name, each.key, each) for each in events]
        self.world.step()
        return ()


def stored(second, truck_id="A", **fields):
    """The record that the shard has at a second."""
    return ShardRecord(record(truck_id, second, **fields), truck_id, str(1000 + second), START + second)


def processor_of(shard, *targets, states=None, clock=lambda: START, **options):
    alerts = ShardAlerts(RULES, {target.name: target.batch for target in targets}, Random(1), **options)
    return AlertProcessor(shard, alerts, targets, states, clock=clock)


def turns(world, name="model"):
    return [(each.rule, each.truck_id, each.state) for target, _, each in world.received if target == name]


URGENT = [stored(second, health_status="URGENT" if 10 <= second < 20 else "NORMAL") for second in range(0, 60, 2)]
BEGUN, ENDED = ("urgent", "A", "begun"), ("urgent", "A", "ended")


async def read_all(world, states, target, records=URGENT):
    """Read the shard from the checkpoint on, as a new owner, in batches of three, and close."""
    processor = processor_of(world.assign(), target, states=states)
    try:
        number = world.checkpoint.sequence_number
        left = [each for each in records if not number.isdecimal() or int(each.sequence_number) > int(number)]
        for start in range(0, len(left), 3):
            await processor.process(left[start : start + 3], 1000)
            await asyncio.sleep(1)
        await processor.finish("close")
    finally:
        processor.abandon()


# --- Killed at any step ---------------------------------------------------------------------------


def test_without_a_kill_each_event_is_sent_once():
    world = World()
    run(read_all(world, ModelStates(world), ModelTarget(world)))
    assert turns(world) == [BEGUN, ENDED]
    assert world.checkpoint == Checkpoint("1058")
    assert 8 < world.calls < MOST_CALLS


@pytest.mark.parametrize("kill_at", range(1, MOST_CALLS))
def test_killed_at_any_call_no_event_is_lost_and_its_key_is_the_same(kill_at):
    world = World(kill_at=kill_at)
    for _ in range(3):
        with contextlib.suppress(Killed):
            run(read_all(world, ModelStates(world), ModelTarget(world)))
    kept = {key: (each.rule, each.truck_id, each.state) for _, key, each in world.received}
    assert sorted(kept.values()) == [BEGUN, ENDED]


# --- State ----------------------------------------------------------------------------------------


def test_an_event_is_saved_with_the_checkpoint_at_once_and_records_without_one_after_a_while():
    async def main():
        world = World()
        states = ModelStates(world)
        processor = processor_of(world.assign(), ModelTarget(world), states=states)
        await processor.process(URGENT[:3], 1000)
        assert (states.saves, world.checkpoint) == (0, BEGINNING)
        await processor.process(URGENT[3:6], 1000)
        assert (states.saves, world.checkpoint) == (1, Checkpoint("1010"))
        await processor.process(URGENT[6:7], 1000)
        assert states.saves == 1
        await asyncio.sleep(SAVE_SECONDS)
        await processor.process([], 0)
        assert (states.saves, world.checkpoint) == (2, Checkpoint("1012"))
        await asyncio.sleep(SAVE_SECONDS)
        await processor.process([], 0)
        assert states.saves == 2  # nothing has changed
        processor.abandon()

    run(main())


def test_a_state_that_cannot_be_written_holds_the_checkpoint_back_and_stops_no_alert():
    async def main():
        world = World()
        states = ModelStates(world)
        processor = processor_of(world.assign(), ModelTarget(world), states=states)
        await processor.process([], 1000)
        states.failing = [StoreError("Timeout", "no response")]
        await processor.process(URGENT[:6], 1000)
        await asyncio.sleep(1)
        assert (turns(world), world.checkpoint) == ([BEGUN], BEGINNING)
        await asyncio.sleep(SAVE_SECONDS)
        await processor.process([], 0)
        assert world.checkpoint == Checkpoint("1010")
        processor.abandon()

    run(main())


def test_a_state_that_cannot_be_read_holds_the_shard():
    async def main():
        world = World()
        states = ModelStates(world)
        states.failing = [StoreError("Timeout", "no response")] * 5
        processor = processor_of(world.assign(), ModelTarget(world), states=states)
        began = asyncio.get_running_loop().time()
        await processor.process(URGENT[:6], 1000)
        assert asyncio.get_running_loop().time() - began > 8
        assert processor.alerts.records == 6
        processor.abandon()

    run(main())


def test_a_shard_that_is_given_up_before_its_state_was_read_evaluates_nothing():
    async def main():
        world = World()
        states = ModelStates(world)
        states.failing = [StoreError("Timeout", "no response")] * 1000
        processor = processor_of(world.assign(), ModelTarget(world), states=states)
        processing = asyncio.create_task(processor.process(URGENT[:6], 1000))
        await asyncio.sleep(5)
        processor.end_soon()
        await processing
        await processor.finish("hand_over")
        assert (processor.alerts.records, world.checkpoint) == (0, BEGINNING)

    run(main())


def test_a_worker_without_the_lease_writes_nothing():
    async def main():
        world = World()
        states = ModelStates(world)
        processor = processor_of(world.assign(), ModelTarget(world), states=states)
        await processor.process(URGENT[:3], 1000)
        world.assign()
        with pytest.raises(LeaseLostError):
            await processor.finish("close")
        assert (states.saves, world.checkpoint) == (0, BEGINNING)

    run(main())


def test_children_of_a_split_go_on_from_their_parent():
    low, high = (0, 2**127 - 1), (2**127, 2**128 - 1)
    trucks = {True: [], False: []}
    for number in range(20):
        trucks[hash_key_of(f"T{number}".encode()) < 2**127].append(f"T{number}")

    async def main():
        world = World()
        states = ModelStates(world)
        parent = processor_of(world.assign(), ModelTarget(world), states=states)
        records = [stored(0, truck, health_status="URGENT") for truck in trucks[True] + trucks[False]]
        await parent.process(records, 1000)
        await parent.finish("shard_end")
        world.received.clear()
        for name, hash_range in (("shardId-1", low), ("shardId-2", high)):
            shard = world.assign(shard_id=name, hash_range=hash_range, parent_ids=("shardId-0",))
            child = processor_of(shard, ModelTarget(world, name), states=states, clock=lambda: START + 310 + TIP_MARGIN)
            await child.process([], 0)
            await asyncio.sleep(1)
            child.abandon()
        for name, is_low in (("shardId-1", True), ("shardId-2", False)):
            assert {truck for _, truck, _ in turns(world, name)} == set(trucks[is_low])
            assert {(rule, state) for rule, _, state in turns(world, name)} == {("silent", "begun")}

    run(main())


def test_the_last_state_of_a_shard_is_written_before_its_end():
    async def main():
        world = World()
        states = ModelStates(world)
        processor = processor_of(world.assign(), ModelTarget(world), states=states)
        await processor.process(URGENT[:3], 1000)
        states.failing = [StoreError("Timeout", "no response")] * 3
        await processor.finish("shard_end")
        assert states.saves == 1

    run(main())


# --- Silence --------------------------------------------------------------------------------------


def test_silence_is_found_at_the_tip_alone():
    async def main():
        world, present = World(), START
        target = ModelTarget(world)
        processor = processor_of(world.assign(), target, clock=lambda: present)
        await processor.process([stored(0)], 0)
        present = START + 300  # a report of this second may not be readable yet
        await processor.process([], 0)
        present = START + 300 + TIP_MARGIN
        await processor.process([], 5000)  # behind
        await asyncio.sleep(1)
        assert turns(world) == []
        await processor.process([], 0)
        await asyncio.sleep(1)
        assert turns(world) == [("silent", "A", "begun")]
        processor.abandon()

    run(main())


# --- Targets --------------------------------------------------------------------------------------


def test_a_target_that_hangs_stops_neither_the_reading_nor_the_other_target():
    async def main():
        world = World()
        good, bad = ModelTarget(world, "good"), ModelTarget(world, "bad")
        bad.hangs = True
        states = ModelStates(world)
        processor = processor_of(world.assign(), good, bad, states=states)
        await processor.process(URGENT, 1000)
        await asyncio.sleep(1)
        assert turns(world, "good") == [BEGUN, ENDED]
        await processor.finish("close")
        assert world.checkpoint == Checkpoint("1058")
        bad.hangs = False
        after = processor_of(world.assign(), good, bad, states=states)
        await after.process([], 1000)
        await asyncio.sleep(1)
        assert turns(world, "bad") == [BEGUN, ENDED]
        assert turns(world, "good") == [BEGUN, ENDED]
        after.abandon()

    run(main())


def test_a_failure_is_tried_again_and_logged_once_a_minute(caplog):
    async def main():
        world = World()
        target = ModelTarget(world)
        target.failing = [AlertTargetError("HTTP 503", "")] * 10
        processor = processor_of(world.assign(), target)
        await processor.process(URGENT, 1000)
        await asyncio.sleep(400)
        assert turns(world) == [BEGUN, ENDED]
        processor.abandon()

    with caplog.at_level(logging.WARNING, "truckstream.alerts"):
        run(main())
    assert 1 < len(caplog.messages) < 5
    assert caplog.messages[0] == "model fails, and is tried again; 2 alerts wait: HTTP 503"


def test_an_event_that_is_refused_for_good_does_not_hold_up_the_next(caplog):
    async def main():
        world = World()
        target = ModelTarget(world)
        target.batch = 1
        target.failing = [AlertTargetError("HTTP 400", "", retryable=False)]
        processor = processor_of(world.assign(), target)
        await processor.process(URGENT, 1000)
        await asyncio.sleep(1)
        assert turns(world) == [ENDED]
        processor.abandon()

    run(main())
    assert "model refused alerts, which are given up: " in caplog.text


def test_events_that_find_no_room_are_logged(caplog):
    async def main():
        world = World()
        target = ModelTarget(world)
        target.hangs = True
        processor = processor_of(world.assign(), target, capacity=3)
        await processor.process([stored(0, f"T{number}", health_status="URGENT") for number in range(5)], 1000)
        processor.abandon()

    run(main())
    assert "shardId-0: 2 alerts were dropped, because too many wait for model" in caplog.text


def test_a_defective_target_ends_the_processing():
    async def main():
        world = World()
        target = ModelTarget(world)
        target.failing = [ZeroDivisionError()]
        processor = processor_of(world.assign(), target)
        await processor.process(URGENT, 1000)
        await asyncio.sleep(1)
        with pytest.raises(ZeroDivisionError):
            await processor.process([], 0)
        processor.abandon()

    run(main())
