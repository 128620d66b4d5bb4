"""The attributes with which an auditor proves a shard's objects, and that a redelivery ignores."""

import hashlib

import pytest

from tests.batcher.support import ScriptedStore, Small, aggregate, number, numbers, record, small
from truckstream.batcher import Batcher
from truckstream.batcher.reading import aggregates
from truckstream.batcher.storing.object_metadata import ObjectProof

PREVIOUS = "previous-sequence-number"
KINESIS_RECORDS = "kinesis-records"


async def stored(event, **options):
    """Return the bytes and the attributes of the objects that an event makes, by the first number and the prefix."""
    store = ScriptedStore()
    await Batcher(store, **{"schema": Small, "batch_size": 10, **options}).process(event)
    return {
        (int(attributes["first-sequence-number"]) - int(number(0)), key.partition("/")[0]): (body, attributes)
        for key, (body, attributes) in store.objects.items()
    }


async def attribute(name, event, **options):
    """Return an attribute of each object of valid records, by the object's first number."""
    return {first: found.get(name) for (first, _), (_, found) in (await stored(event, **options)).items()}


@pytest.mark.parametrize(
    "options", [{}, {"compression": "gzip"}, {"compression": "zstd"}, {"format": "parquet"}, {"format": "json"}]
)
async def test_it_states_the_digest_and_the_number_of_the_stored_bytes(options):
    objects = await stored([small(0), small(1, good=False)], **options)
    assert len(objects) == 2
    for body, attributes in objects.values():
        assert attributes["sha256"] == hashlib.sha256(body).hexdigest()
        assert attributes["size"] == str(len(body))


async def test_a_group_names_the_record_before_it_where_the_event_shows_it():
    event = [*numbers(12), small(12, good=False), *numbers(12, 13)]
    objects = await stored(event)
    assert {place: attributes.get(PREVIOUS) for place, (_, attributes) in objects.items()} == {
        (0, "sensor_data"): None,
        (10, "sensor_data"): number(9),
        (10, "rejected"): number(9),
        (20, "sensor_data"): number(19),
    }


async def test_records_that_are_no_aggregates_need_no_count_of_kinesis_records():
    assert await attribute(KINESIS_RECORDS, numbers(12)) == {0: None, 10: None}


async def test_an_aggregate_is_one_record_of_the_stream():
    event = [record(aggregate(b'{"n":1}', b'{"n":2}', b'{"n":3}'), 0), small(1), record(aggregate(b'{"n":4}'), 2)]
    assert await attribute(KINESIS_RECORDS, event) == {0: "3"}


async def test_the_groups_of_a_long_aggregate_count_it_once_and_follow_each_other(monkeypatch):
    monkeypatch.setattr(aggregates, "SLICE", 20)
    event = [small(0), record(aggregate(*(b'{"n":%d}' % n for n in range(50))), 1), small(2)]
    store = ScriptedStore()
    await Batcher(store, schema=Small, batch_size=10).process(event)
    found = [
        (attributes["records"], attributes.get(KINESIS_RECORDS), attributes.get(PREVIOUS))
        for _, attributes in store.objects.values()
    ]
    assert found == [
        ("1", None, None),
        ("10", "1", number(0)),
        *[("10", "0", number(1))] * 4,
        ("1", None, number(1)),
    ]


@pytest.mark.parametrize("attributes", [{}, {PREVIOUS: "1", "sha256": "0" * 64, "size": "7"}])
async def test_a_redelivery_ignores_it(attributes):
    """Objects of earlier versions have none, and another delivery may know another predecessor."""
    store = ScriptedStore()
    batcher = Batcher(store, schema=Small)
    [receipt] = (await batcher.process(numbers(3))).objects
    body, whole = store.objects[receipt.key]
    rest = {name: value for name, value in whole.items() if name not in ObjectProof.__struct_encode_fields__}
    store.objects[receipt.key] = (body, rest | attributes)
    result = await batcher.process(numbers(3))
    assert [(each.key, each.outcome) for each in result.objects] == [(receipt.key, "already there")]


def test_values_that_no_writer_makes_count_as_unknown():
    read = ObjectProof.read({"size": "many", PREVIOUS: "-1", KINESIS_RECORDS: "3", "other": "x"})
    assert read == ObjectProof(kinesis_records="3")


@pytest.mark.parametrize("value", ["", "5", "a/b", "5/", "-1/7", "5/7/9", "1" * 10 + "/2"])
def test_a_part_that_no_writer_makes_counts_as_unknown(value):
    assert ObjectProof.read({"aggregate-part": value}).part is None
    assert ObjectProof.read({"aggregate-part": "700/1900"}).part == "700/1900"
