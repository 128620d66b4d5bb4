"""Handlers: the order of a shard, of a key, and when records are checkpointed."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.consumer.support import HeldShard, record, records
from truckstream.consumer.leases.lease import Checkpoint
from truckstream.consumer.processing.handler import HandlerProcessor, split_by_key
from truckstream.errors import UsageError


async def test_the_handler_gets_the_records_of_a_shard_in_order():
    seen, shard = [], HeldShard()

    async def handle(batch):
        seen.append(batch)

    processor = HandlerProcessor(shard, handle, concurrency=1, checkpoints_after=True)
    await processor.process(records(1, 4), 250)
    await processor.process([], 0)
    await processor.process(records(4, 5), 0)
    assert [[each.sequence_number for each in batch] for batch in seen] == [["1", "2", "3"], ["4"]]
    assert [batch.millis_behind_latest for batch in seen] == [250, 0]
    assert shard.noted == [Checkpoint("3"), Checkpoint("4")]


async def test_records_of_a_failed_handler_are_not_checkpointed():
    shard = HeldShard()

    async def handle(_):
        raise ValueError("no such truck")

    processor = HandlerProcessor(shard, handle, concurrency=1, checkpoints_after=True)
    with pytest.raises(ValueError, match="no such truck"):
        await processor.process(records(1, 4), 0)
    assert shard.noted == []


async def test_keys_are_handled_side_by_side_and_checkpointed_together():
    shard, running, most = HeldShard(), 0, 0

    async def handle(_):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        assert shard.noted == []
        running -= 1

    processor = HandlerProcessor(shard, handle, concurrency=4, checkpoints_after=True)
    await processor.process([record(number, key=f"TRUCK_{number}") for number in range(1, 41)], 0)
    assert most == 4
    assert shard.noted == [Checkpoint("40")]


async def test_one_failed_part_of_several_keeps_all_from_being_checkpointed():
    shard = HeldShard()

    async def handle(batch):
        if batch.records[0].sequence_number == "1":
            raise ValueError("no such truck")

    processor = HandlerProcessor(shard, handle, concurrency=4, checkpoints_after=True)
    with pytest.raises(ExceptionGroup) as caught:
        await processor.process([record(number, key=f"TRUCK_{number}") for number in range(1, 41)], 0)
    assert caught.group_contains(ValueError, match="no such truck")
    assert shard.noted == []


async def test_a_part_of_a_shards_records_cannot_be_checkpointed_by_itself():
    async def handle(batch):
        await batch.checkpoint()

    processor = HandlerProcessor(HeldShard(), handle, concurrency=2, checkpoints_after=False)
    with pytest.raises(ExceptionGroup) as caught:
        await processor.process(records(1, 4), 0)
    assert caught.group_contains(UsageError, match="concurrency_per_shard")


async def test_after_its_end_no_handler_is_called():
    shard = HeldShard()

    async def handle(_):
        raise AssertionError("a handler was called")

    processor = HandlerProcessor(shard, handle, concurrency=1, checkpoints_after=True)
    processor.end_soon()
    await processor.process(records(1, 4), 0)
    assert shard.noted == []


@given(st.lists(st.text(min_size=1, max_size=3)), st.integers(2, 8))
def test_the_parts_hold_each_record_once_and_each_key_in_order(keys, parts):
    whole = [record(number, key=key) for number, key in enumerate(keys, 1)]
    split = split_by_key(whole, parts)
    assert len(split) <= parts
    assert all(split)
    assert sorted(int(each.sequence_number) for part in split for each in part) == list(range(1, len(keys) + 1))
    for key in set(keys):
        [part] = [part for part in split if any(each.partition_key == key for each in part)]
        own = [int(each.sequence_number) for each in part if each.partition_key == key]
        assert own == sorted(own)
