"""The Batcher expands aggregates of the KPL and envelopes, and divides only those that are longer than a group."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.batcher.support import (
    ScriptedStore,
    Small,
    aggregate,
    envelope,
    number,
    numbers,
    record,
    sealed,
    small,
    truck,
)
from truckstream.batcher import Batcher
from truckstream.batcher.grouping import boundaries
from truckstream.batcher.reading import aggregates
from truckstream.batcher.reading.aggregates import expand_aggregates
from truckstream.batcher.reading.event import read_event
from truckstream.envelope import MAGIC as ENVELOPE_MAGIC
from truckstream.kpl import MAGIC


def users(start, stop, pack=aggregate):
    return record(pack(*(b'{"n":%d}' % n for n in range(start, stop))), start)


def stored(store):
    return sorted(line["n"] for line in store.lines("sensor_data"))


async def process(records, store=None, *, size=10, schema=Small):
    store = store or ScriptedStore()
    return await Batcher(store, batch_size=size, schema=schema).process(records), store


def test_an_event_without_aggregates_stays_the_same():
    event = read_event([record(b"", 0), record(b"\xf3\x89", 1), record(b"", 2, encoded="?")])
    assert list(expand_aggregates(event, 700)) == [event]


@pytest.mark.parametrize("pack", [aggregate, envelope])
def test_user_records_have_the_number_of_their_aggregate_and_their_own_keys(pack):
    data = pack((b"a", "T1"), (b"b", "T2", "77"))
    (event,) = expand_aggregates(read_event([record(b"x", 0), record(data, 1), record(b"y", 2)]), 700)
    assert event.payloads == [b"x", b"a", b"b", b"y"]
    assert event.sequences == [number(0), number(1), number(1), number(2)]
    assert event.subsequences == [None, 0, 1, None]
    assert event.partition_keys == ["TRUCK_000", "T1", "T2", "TRUCK_002"]
    assert event.hash_keys == {2: "77"}
    assert [event.boundaries.at_or_after(index) for index in range(5)] == [0, 1, 3, 3, 4]


async def test_user_records_are_counted_and_stored_like_other_records():
    result, store = await process([small(0), users(1, 4), small(4), users(5, 7)])
    assert (result.received, result.stored, result.rejected) == (7, 7, 0)
    assert stored(store) == list(range(7))
    ((_, metadata),) = store.objects.values()
    assert (metadata["records"], metadata["last-sequence-number"]) == ("7", number(5))


@pytest.mark.parametrize("pack", [aggregate, envelope])
async def test_an_aggregate_of_no_more_records_than_a_group_is_never_split(pack):
    result, store = await process([users(0, 7, pack), users(7, 14, pack), users(14, 24, pack), small(24)])
    assert [each.records for each in result.objects] == [14, 10, 1]
    assert stored(store) == list(range(25))


@pytest.mark.parametrize("pack", [aggregate, envelope])
async def test_a_longer_one_makes_groups_of_its_own(pack):
    result, store = await process([small(0), users(1, 26, pack), small(26), small(27)])
    assert [each.records for each in result.objects] == [1, 10, 10, 5, 2]
    assert stored(store) == list(range(28))


async def test_groups_of_a_long_aggregate_are_stored_at_the_same_time():
    _, store = await process([users(0, 95)])
    assert store.most_in_flight == 9


@pytest.mark.parametrize("pack", [aggregate, envelope])
async def test_a_failure_is_reported_with_the_sequence_number_of_the_aggregate(pack):
    store = ScriptedStore(lambda verb, _: OSError("503") if len(store.calls) == 4 and verb == "put" else None)
    result, _ = await process([small(0), users(1, 36, pack), small(36)], store)
    assert result.first_failed == number(1)
    assert stored(store) == [n for n in range(36) if not 21 <= n < 31]
    store.script = lambda *_: None
    await process([users(1, 36, pack), small(36)], store)
    assert stored(store) == list(range(37))


@pytest.mark.parametrize("pack", [aggregate, envelope])
@pytest.mark.parametrize("failing", range(1, 8))
async def test_a_redelivery_with_newer_records_finds_the_same_edges(pack, failing):
    """The first event ends with the long aggregate; the second has more records on both sides of its end."""
    records = [small(0), small(1), users(2, 33, pack), small(33), users(34, 60, pack), small(60)]
    store = ScriptedStore(lambda *_: OSError("503") if len(store.puts()) == failing else None)
    first, _ = await process(records[:3], store)
    store.script = lambda *_: None
    start = {None: 3, number(0): 0, number(2): 2}[first.first_failed]
    last, _ = await process(records[start:], store)
    assert last.not_stored == 0
    assert stored(store) == list(range(61))


async def test_an_envelope_of_many_bytes_makes_groups_of_its_own(monkeypatch):
    monkeypatch.setattr(boundaries, "GROUP_BYTES", 100)
    monkeypatch.setattr(aggregates, "GROUP_BYTES", 100)
    data = envelope(*(b'{"n":%d}' % n + b" " * 43 for n in range(1, 8)))
    result, store = await process([small(0), record(data, 1), small(8)])
    assert [each.records for each in result.objects] == [1, 2, 2, 2, 1, 1]
    assert stored(store) == list(range(9))


async def test_a_group_is_full_with_enough_bytes_of_user_records(monkeypatch):
    monkeypatch.setattr(boundaries, "GROUP_BYTES", 100)
    monkeypatch.setattr(aggregates, "GROUP_BYTES", 100)
    large = [record(envelope(b'{"n":%d}' % n + b" " * 43), n) for n in range(6)]
    result, store = await process([*large, small(6)])
    assert [each.records for each in result.objects] == [2, 2, 2, 1]
    assert stored(store) == list(range(7))


async def test_an_invalid_user_record_is_rejected_alone_with_its_subsequence_number():
    data = aggregate((b'{"n":1}', "T1"), (b'{"m":2}', "T2", "9"), (b"", "T3"))
    result, store = await process([record(data, 0)])
    assert (result.stored, result.rejected) == (1, 2)
    first, second = store.lines("rejected")
    assert (first["sequence_number"], first["subsequence_number"]) == (number(0), 1)
    assert (first["partition_key"], first["explicit_hash_key"], first["data"]) == ("T2", "9", '{"m":2}')
    assert (second["subsequence_number"], second["explicit_hash_key"]) == (2, None)
    assert [each.subsequence_number for each in result.refusals] == [1, 2]


async def test_a_rejected_record_outside_an_aggregate_has_no_subsequence_number():
    _, store = await process([small(0, good=False), users(1, 3)])
    (line,) = store.lines("rejected")
    assert "subsequence_number" not in line


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (sealed(b"\x0a\x01k"), "no_records"),
        (sealed(b"\x0a\x01k\x1a\x05\x08\x01\x1a\x01x"), "index_out_of_range"),
        (sealed(b"\x0a\x01k\x1a\x09\x08\x00\x1a\x05{}"), "truncated"),
        (sealed(b"\xff\xff"), "truncated"),
        (aggregate(b'{"n":1}')[:-1] + b"\0", "wrong_md5"),
        (aggregate(b'{"n":1}')[:15], "no_magic"),
    ],
)
async def test_a_broken_aggregate_is_rejected_as_a_whole_with_its_reason(data, reason):
    result, store = await process([small(0), record(data, 1), users(2, 4)])
    assert (result.received, result.stored, result.rejected) == (4, 3, 1)
    (line,) = store.lines("rejected")
    assert (line["reason"], line["sequence_number"]) == ("broken_aggregate", number(1))
    assert line["rule"].startswith(f"{reason}: ")
    assert base64.b64decode(line["data_base64"]) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (envelope(b'{"n":1}')[:20], "truncated"),
        (envelope(b'{"n":1}')[:-1], "wrong_checksum"),
        (ENVELOPE_MAGIC + b"\x02" + bytes(30), "unknown_version"),
    ],
)
async def test_a_broken_envelope_is_rejected_as_a_whole_with_its_reason(data, reason):
    result, store = await process([small(0), record(data, 1), users(2, 4)], schema=None)
    assert (result.received, result.stored, result.rejected) == (4, 3, 1)
    (line,) = store.lines("rejected")
    assert (line["reason"], line["sequence_number"]) == ("broken_envelope", number(1))
    assert line["rule"].startswith(f"{reason}: ")
    assert base64.b64decode(line["data_base64"]) == data


async def test_an_aggregate_in_an_envelope_is_not_taken_apart():
    result, _ = await process([record(envelope(aggregate(b'{"n":1}'), b'{"n":2}'), 0)])
    assert (result.stored, result.rejected) == (1, 1)


async def test_without_a_schema_bytes_that_only_begin_like_an_aggregate_are_valid():
    """The KCL does the same. A broken aggregate with a correct MD5 is still rejected."""
    lookalike, broken = MAGIC + b"x" * 30, sealed(b"\x0a\x01k")
    result, store = await process([record(lookalike, 0), record(broken, 1)], schema=None)
    assert (result.stored, result.rejected) == (1, 1)
    assert store.objects[result.objects[0].key][0] == lookalike + b"\n"


async def test_auto_counts_user_records():
    result, _ = await process([record(aggregate(*[truck()] * 250), 0), *numbers(250, 1)], size="auto", schema=None)
    assert [each.records for each in result.objects] == [500]


@given(
    st.lists(
        st.binary(max_size=30)
        | st.lists(st.binary(max_size=20), min_size=1, max_size=5).map(lambda each: aggregate(*each))
        | st.lists(st.binary(max_size=20), min_size=1, max_size=5).map(lambda each: envelope(*each))
        | st.binary(max_size=30).map(lambda data: ENVELOPE_MAGIC + data)
        | st.binary(max_size=30).map(sealed)
        | st.builds(
            lambda data, at, new: data[:at] + new + data[at:],
            st.just(aggregate(b'{"n":1}', b"{}")),
            st.integers(0, 60),
            st.binary(min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=10,
    )
)
async def test_any_bytes_are_either_stored_or_rejected(payloads):
    result, store = await process([record(data, n) for n, data in enumerate(payloads)])
    lines = store.lines("rejected")
    assert result.received == result.stored + result.rejected >= len(payloads)
    assert result.rejected == len(lines)
    for n, data in enumerate(payloads):
        whole = [line for line in lines if line["sequence_number"] == number(n) and "subsequence_number" not in line]
        for line in whole:
            kept = base64.b64decode(line["data_base64"]) if "data_base64" in line else line["data"].encode()
            assert kept == data
    assert json.dumps(lines)
