"""`store_group` makes one group of all records that it gets, with the objects that `process` would make."""

from tests.batcher.support import ScriptedStore, numbers
from truckstream.batcher import Batcher
from truckstream.batcher.reading.event import read_event


async def test_one_group_whatever_the_batch_size():
    whole, grouped = ScriptedStore(), ScriptedStore()
    await Batcher(whole, schema=dict, batch_size=10).process(numbers(10))
    result = await Batcher(grouped, schema=dict, batch_size=3).store_group(read_event(numbers(10)))
    assert grouped.objects == whole.objects
    assert (result.received, result.stored, len(result.objects)) == (10, 10, 1)


async def test_what_an_earlier_object_holds_is_adopted():
    store = ScriptedStore()
    await Batcher(store, schema=dict, batch_size=3).process(numbers(3))
    result = await Batcher(store, schema=dict).store_group(read_event(numbers(10)))
    assert [(each.outcome, each.records) for each in result.objects] == [("adopted", 3), ("created", 7)]


async def test_a_group_that_is_not_stored_is_reported_and_the_caller_logs_it(caplog):
    store = ScriptedStore(lambda *_: OSError("down"))
    result = await Batcher(store, schema=dict).store_group(read_event(numbers(10)))
    assert (result.first_failed, result.not_stored) == (numbers(1)[0]["kinesis"]["sequenceNumber"], 10)
    assert "down" in str(result.causes[0])
    assert caplog.text == ""


def test_the_batch_size_can_be_read():
    assert [Batcher(ScriptedStore(), batch_size=size).batch_size for size in (5, "auto")] == [5, "auto"]
