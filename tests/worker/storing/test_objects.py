"""The objects are those of the Lambda function, and existing ones are adopted by the same rules."""

import asyncio

from tests.batcher.support import ScriptedStore, aggregate, number, numbers, record, truck
from tests.virtual_time import run
from tests.worker.support import (
    ModelLease,
    aggregated,
    group_sizes,
    make_storer,
    many,
    stored,
    stored_numbers,
)
from truckstream.batcher import Batcher
from truckstream.consumer.leases.lease import Checkpoint
from truckstream.kpl import decode
from truckstream.record import TruckRecord
from truckstream.worker.cutting.group_cutter import CutLimits


def test_objects_are_those_of_the_function():
    """The same records, delivered by Lambda, make the same keys, bytes and metadata."""
    data = [truck(n) if n % 7 else b"broken %d" % n for n in range(20)]
    bundle = aggregate(truck(100), b"no truck", truck(101))
    event = [record(each, n) for n, each in enumerate(data)] + [record(bundle, 20)]
    users = [stored(20, user.data, at) for at, user in enumerate(decode(bundle))]
    for user, each in zip(decode(bundle), users, strict=True):
        each.partition_key, each.explicit_hash_key = user.partition_key, user.explicit_hash_key
    records = [*(stored(n, each) for n, each in enumerate(data)), *users]

    async def main():
        ours, theirs = ScriptedStore(), ScriptedStore()
        options = {"batch_size": 10, "layout": "hive", "compression": "gzip", "add_stream_fields": True}
        await Batcher(theirs, **options).process(event)
        storer = make_storer(ours, ModelLease().assign(), limits=CutLimits(10), schema=TruckRecord, **options)
        await storer.process(records, 0)
        await storer.finish("shard_end")
        assert ours.objects == theirs.objects
        assert len(ours.objects) == 6

    asyncio.run(main())  # gzip runs in threads


def test_an_object_of_the_function_that_ends_earlier_is_adopted():
    """A group that Lambda cut short holds its records; the rest of our group is stored beside it."""

    async def main():
        store = ScriptedStore()
        await Batcher(store, schema=dict).process(numbers(2))
        lease = ModelLease()
        storer = make_storer(store, lease.assign())
        await storer.process(many(4), 0)
        await asyncio.sleep(10)
        assert group_sizes(store) == [2, 2]
        assert lease.checkpoint == Checkpoint(number(3))
        assert (storer.status.objects_found, storer.status.objects_created) == (1, 1)
        storer.abandon()

    run(main())


def test_an_object_that_goes_on_after_our_group_never_stops_the_shard():
    async def main():
        store = ScriptedStore()
        await Batcher(store, schema=dict).process(numbers(2))
        await Batcher(store, schema=dict, batch_size=700).process(numbers(6, 2))
        lease = ModelLease()
        storer = make_storer(store, lease.assign())
        await storer.process(many(8), 0)
        await asyncio.sleep(100)
        assert lease.checkpoint == Checkpoint(number(7))
        assert set(stored_numbers(store)) == set(range(8))
        storer.abandon()

    run(main())


def test_a_long_aggregate_makes_groups_of_its_own():
    async def main():
        lease = ModelLease()
        store = ScriptedStore()
        storer = make_storer(store, lease.assign(), limits=CutLimits(700, 10**9))
        await storer.process([*many(3), *aggregated(3, 1_902), *many(2, 4)], 0)
        await storer.finish("shard_end")
        assert sorted(group_sizes(store)) == [2, 3, 502, 700, 700]
        assert lease.checkpoint == Checkpoint(number(5))

    run(main())


def test_each_object_names_the_record_before_it():
    """From the first group on, if the lease has a checkpoint, and whatever waves the groups come in."""

    async def main(lease, expected):
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(8, 1), 0)
        await asyncio.sleep(10)
        await storer.process(many(6, 9), 0)
        await storer.finish("shard_end")
        found = [attributes.get("previous-sequence-number") for _, attributes in store.objects.values()]
        assert found == [expected, number(4), number(8), number(12)]

    run(main(ModelLease(checkpoint=Checkpoint(number(0))), number(0)))
    run(main(ModelLease(), None))


def test_the_rest_of_a_group_names_the_record_before_it():
    """After an adopted object, and after a failure: the next attempt begins with the first record that is missing."""

    async def main():
        store = ScriptedStore()
        await Batcher(store, schema=dict).process(numbers(2, 1))
        puts = []

        def fail_once(verb, key):
            puts.append(key)
            return OSError("down") if verb == "put" and len(puts) == 3 else None

        store.script = fail_once
        storer = make_storer(store, ModelLease(checkpoint=Checkpoint(number(0))).assign())
        await storer.process(many(4, 1), 0)
        await storer.finish("shard_end")
        found = [attributes.get("previous-sequence-number") for _, attributes in store.objects.values()]
        assert found == [None, number(2)]
        assert len(puts) > 3

    run(main())
