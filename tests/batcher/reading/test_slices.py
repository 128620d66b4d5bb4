"""An event of very many records is stored in slices, which make the same objects as the whole event would.

A slice has 20,000 records; here it has 20.
"""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.exceptions import GenericError

from tests.batcher.support import ScriptedStore, aggregate, envelope, number, record
from tests.virtual_time import run
from truckstream.batcher import Batcher
from truckstream.batcher.reading import aggregates
from truckstream.batcher.reading.aggregates import expand_aggregates
from truckstream.batcher.reading.event import read_event

SLICE = 20
PACKS = (aggregate, envelope)


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch):
    monkeypatch.setattr(aggregates, "SLICE", SLICE)


class Place(msgspec.Struct, forbid_unknown_fields=True):
    n: str


def event(shard):
    """Return the event of a shard: each Kinesis record is the number of its user records, or None if it is plain.

    The user records are by turns in an aggregate of the KPL and in an envelope. Every fifth of them is invalid.
    """

    def data(place, at):
        return b'{"%s":"%s"}' % (b"m" if at % 5 == 4 else b"n", place.encode())

    return [
        record(data(f"{n}", n), n)
        if users is None
        else record(PACKS[n % 2](*((data(f"{n}.{at}", at), "7", str(at)) for at in range(users))), n)
        for n, users in enumerate(shard)
    ]


def slice_sizes(shard, group_size=7):
    return [len(each) for each in expand_aggregates(read_event(event(shard)), group_size)]


def test_a_slice_ends_where_a_group_ends():
    """Groups of 7 records end after 9, 18 and 27 records."""
    assert slice_sizes([3] * 20) == [27, 27, 6]


def test_plain_records_make_slices_too():
    assert slice_sizes([None] * 50) == [21, 21, 8]
    assert slice_sizes([None] * 20) == [20]


def test_an_aggregate_of_more_records_than_a_slice_is_divided_between_its_groups():
    assert slice_sizes([45]) == [21, 21, 3]
    assert slice_sizes([20, None]) == [20, 1]


def test_a_slice_may_have_plain_records_and_parts_of_several_aggregates():
    """Three records, which make a group, and three groups of the aggregate are a slice."""
    assert slice_sizes([None, 2, 45, None, 3]) == [24, 21, 7]


def test_a_slice_has_no_more_bytes_than_it_should(monkeypatch):
    monkeypatch.setattr(aggregates, "SLICE", 20_000)
    monkeypatch.setattr(aggregates, "SLICE_BYTES", 200)
    big = [record(envelope(*[b"x" * 10] * 5), n) for n in range(40)]
    sizes = [sum(map(len, each.payloads)) for each in expand_aggregates(read_event(big), 7)]
    assert sizes == [200] * 10


def test_an_aggregate_that_shares_its_sequence_number_is_not_divided():
    first, second, last = event([45, 45, None])
    second["kinesis"]["sequenceNumber"] = first["kinesis"]["sequenceNumber"]
    assert [len(each) for each in expand_aggregates(read_event([first, second, last]), 7)] == [90, 1]


def test_the_slices_of_an_aggregate_keep_the_places_of_its_records():
    _, first, second, last = expand_aggregates(read_event(event([None] * 22 + [45])), 7)
    assert [each.subsequences[0] for each in (first, second, last)] == [None, 21, 42]
    assert first.sequences == [number(21), *[number(22)] * 21]
    assert (second.sequences, second.hash_keys[3]) == ([number(22)] * 21, "24")
    assert (first.previous, second.previous) == (number(20), number(22))
    assert [last.boundaries.at_or_after(at) for at in (0, 1, 3)] == [0, 3, 3]


async def process(shard, store, size=7, **options):
    return await Batcher(store, batch_size=size, schema=Place, **options).process(event(shard))


async def stored_in_slices(shard, slice_size, monkeypatch):
    monkeypatch.setattr(aggregates, "SLICE", slice_size)
    store = ScriptedStore()
    result = await process(shard, store)
    return result, store.objects


async def test_slices_change_neither_the_objects_nor_the_result(monkeypatch):
    shard = [None, 3, None, 9, 1] * 8
    result, objects = await stored_in_slices(shard, SLICE, monkeypatch)
    whole, whole_objects = await stored_in_slices(shard, 1_000_000, monkeypatch)
    assert objects == whole_objects
    for name in ("received", "stored", "rejected", "not_stored", "refusals", "first_failed", "oldest_arrival"):
        assert getattr(result, name) == getattr(whole, name)
    assert sorted(each.key for each in result.objects) == sorted(each.key for each in whole.objects)


async def test_each_group_of_a_long_aggregate_has_a_key_of_its_own():
    store = ScriptedStore()
    result = await process([45], store)
    assert [each.records for each in result.objects] == [6, 6, 5, 6, 5, 6, 2]
    assert [each.records for each in result.rejected_objects] == [1, 1, 2, 1, 2, 1, 1]
    assert len(store.objects) == 14
    assert sorted(line["n"] for line in store.lines("sensor_data")) == sorted(f"0.{n}" for n in range(45) if n % 5 != 4)
    again = await process([45], store)
    assert {each.outcome for each in (*again.objects, *again.rejected_objects)} == {"already there"}


async def test_after_a_slice_that_failed_no_other_is_stored_and_all_records_are_accounted_for():
    store = ScriptedStore(lambda verb, _: GenericError("503") if verb == "put" and len(store.puts()) > 6 else None)
    result = await process([None] * 50 + [45], store)
    assert len(store.objects) == 6, "three groups with a valid and a rejected object each make the first slice"
    assert (result.received, result.stored, result.rejected, result.not_stored) == (95, 17, 4, 74)
    assert result.first_failed == number(21)
    assert result.oldest_arrival == event([None])[0]["kinesis"]["approximateArrivalTimestamp"]
    store.script = lambda *_: None
    assert (await process([None] * 50 + [45], store)).not_stored == 0
    assert len(store.lines("sensor_data")) + len(store.lines("rejected")) == 95


async def test_auto_makes_full_groups_of_an_event_of_several_slices(monkeypatch):
    monkeypatch.setattr(aggregates, "SLICE", 800)
    store = ScriptedStore()
    result = await process([100] * 30, store, "auto")
    assert [each.records for each in result.objects] == [560, 560, 560, 560, 160]


async def test_auto_takes_the_size_of_small_groups_from_an_event_of_one_slice(monkeypatch):
    monkeypatch.setattr(aggregates, "SLICE", 800)
    result = await process([33] * 3, ScriptedStore(), "auto")
    assert [each.records for each in result.objects] == [54, 27]


@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "content"])
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.integers(1, 12) | st.sampled_from([19, 20, 21, 22, 45]), min_size=1, max_size=40),
    st.lists(st.integers(1, 8), max_size=8),
    st.integers(1, 9),
)
def test_every_record_is_stored_once_whatever_fails(metadata, shard, failures, size):
    """The n-th PUT of each delivery fails, until none does. Lambda delivers from the reported record on."""
    store = ScriptedStore(metadata=metadata)
    records = event(shard)

    async def deliver():
        start = 0
        for failing in [*failures, None]:
            puts = len(store.puts())
            store.script = lambda verb, _, nth=failing, before=puts: (
                GenericError("503") if verb == "put" and nth and len(store.puts()) - before == nth else None
            )
            result = await Batcher(store, batch_size=size, schema=Place).process(records[start:])
            assert result.received == result.stored + result.rejected + result.not_stored
            if result.first_failed is None:
                return
            start = next(
                n for n, each in enumerate(records) if each["kinesis"]["sequenceNumber"] == result.first_failed
            )

    run(deliver())
    count = sum(1 if users is None else users for users in shard)
    places = [line["n"] for line in store.lines("sensor_data")] + [line["data"] for line in store.lines("rejected")]
    assert (len(places), len(set(places))) == (count, count)
