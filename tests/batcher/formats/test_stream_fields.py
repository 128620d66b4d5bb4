"""The fields that show where a record is in the stream, in lines and in rows."""

import datetime as dt
import json

import duckdb
import msgspec
import pytest

from tests.batcher.support import SHARD, ScriptedStore, Small, aggregate, number, numbers, record, small
from truckstream.batcher import Batcher
from truckstream.errors import InvalidArgumentError

FORMATS = ["ndjson", "json", "parquet"]

NAMES = ["kinesis_sequence_number", "kinesis_subsequence_number", "kinesis_shard_id", "kinesis_arrival_time"]


class Empty(msgspec.Struct, forbid_unknown_fields=True):
    """A record without fields."""


def batcher(store, name="ndjson", **options):
    return Batcher(store, format=name, **{"schema": Small, "add_stream_fields": True} | options)


def table(folder, name):
    """Return DuckDB's name of the table of all stored objects."""
    return f"{'read_parquet' if name == 'parquet' else 'read_json'}('{folder}/sensor_data/*')"


async def test_lines_have_the_fields_after_their_own_bytes():
    store = ScriptedStore()
    users = aggregate(b'{"n":7.0e0}', b'{"n":8}')
    await batcher(store, schema=dict_like()).process(
        [record(b' { "n" : 1.0 } ', 0, arrival=1736951425.0159), record(users, 1)]
    )
    ((body, _),) = store.objects.values()
    where = '"kinesis_shard_id":"shardId-000000000000","kinesis_arrival_time":"2025-01-15 14:30:25'
    assert body.decode().splitlines() == [
        f' {{ "n" : 1.0 ,"{NAMES[0]}":"{number(0)}","{NAMES[1]}":null,{where}.016"}}',
        f'{{"n":7.0e0,"{NAMES[0]}":"{number(1)}","{NAMES[1]}":0,{where}.001"}}',
        f'{{"n":8,"{NAMES[0]}":"{number(1)}","{NAMES[1]}":1,{where}.001"}}',
    ]


def dict_like():
    """Return a struct whose field accepts any number."""
    return msgspec.defstruct("Number", [("n", float)], forbid_unknown_fields=True)


@pytest.mark.parametrize("data", [b"{}", b"{ }", b" {} ", b"{\n}\n"])
@pytest.mark.parametrize("name", ["ndjson", "json"])
async def test_a_record_without_fields_has_these_alone(data, name):
    store = ScriptedStore()
    await batcher(store, name, schema=Empty).process([record(data)])
    ((body, _),) = store.objects.values()
    (row,) = json.loads(body) if name == "json" else map(json.loads, body.splitlines())
    assert list(row) == NAMES


async def test_the_option_is_off_by_default_and_never_changes_rejected_records():
    plain, added = ScriptedStore(), ScriptedStore()
    events = [*numbers(3), small(3, good=False)]
    await batcher(plain, add_stream_fields=False).process(events)
    await batcher(added).process(events)
    assert plain.lines("sensor_data") == [{"n": n} for n in range(3)]
    assert plain.lines("rejected") == added.lines("rejected")
    default = ScriptedStore()
    await Batcher(default, schema=Small).process(events)
    assert default.objects == plain.objects


async def test_switching_the_option_between_a_delivery_and_its_redelivery_stores_nothing_twice():
    store = ScriptedStore()
    await batcher(store).process(numbers(10))
    again = await batcher(store, add_stream_fields=False).process(numbers(10))
    assert [each.outcome for each in again.objects] == ["already there"]


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("name", FORMATS)
async def test_sql_finds_what_was_stored_twice(name, compression, tmp_path):
    """Two events begin at different records, so that their groups overlap."""
    compression = None if name == "parquet" else compression
    users = record(aggregate(*(b'{"n":%d}' % n for n in range(100, 103))), 5)
    events = [*numbers(5), users, *numbers(4, 6)]
    for start in (0, 3):
        await batcher(tmp_path.as_uri(), name, compression=compression, batch_size=4).process(events[start:])
    rows = table(tmp_path, name)
    assert duckdb.sql(f"SELECT count(*) FROM {rows}").fetchall()[0][0] > 12
    unique = duckdb.sql(
        f"SELECT n FROM {rows} QUALIFY row_number() OVER ("
        "PARTITION BY kinesis_shard_id, kinesis_sequence_number, kinesis_subsequence_number) = 1 ORDER BY n"
    )
    assert [n for (n,) in unique.fetchall()] == [*range(5), *range(6, 10), 100, 101, 102]


@pytest.mark.parametrize("name", FORMATS)
async def test_sql_reads_when_a_record_arrived(name, tmp_path):
    await batcher(tmp_path.as_uri(), name).process([record(b'{"n":1}', arrival=1736951425.25)])
    table_of_one = duckdb.sql(f"SELECT {', '.join(NAMES)} FROM {table(tmp_path, name)}")
    ((sequence, subsequence, shard, arrival),) = table_of_one.fetchall()
    assert (sequence, subsequence, shard) == (number(0), None, SHARD)
    assert arrival == dt.datetime(2025, 1, 15, 14, 30, 25, 250_000)  # noqa: DTZ001 - the column has no time zone


def closed(name, fields, **options):
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True, **options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", FORMATS)
def test_a_field_of_the_same_name_is_refused_at_once(name, form):
    with pytest.raises(InvalidArgumentError, match=f"must not have the field {name}: the batcher adds it"):
        batcher("memory:///", form, schema=closed("Taken", [("n", int), (name, str)]))
    with pytest.raises(InvalidArgumentError, match=f"must not have the field {name}: the batcher adds it"):
        batcher("memory:///", form, schema=closed("Renamed", [("n", int)], rename={"n": name}))


@pytest.mark.parametrize("form", ["ndjson", "json"])
@pytest.mark.parametrize(
    "schema",
    [
        None,
        dict,
        dict[str, int],
        len,
        list[int],
        msgspec.defstruct("Open", [("n", int)]),
        closed("Array", [("n", int)], array_like=True),
    ],
)
def test_a_schema_whose_records_may_have_such_a_field_is_refused_at_once(schema, form):
    with pytest.raises(InvalidArgumentError, match=r"must be a msgspec.Struct with forbid_unknown_fields=True"):
        batcher("memory:///", form, schema=schema)


def test_a_tag_of_the_same_name_is_refused_at_once():
    with pytest.raises(InvalidArgumentError, match="must not have the field kinesis_shard_id"):
        batcher("memory:///", schema=closed("Tagged", [("n", int)], tag="a", tag_field="kinesis_shard_id"))


async def test_parquet_ignores_unknown_fields_so_none_can_collide(tmp_path):
    schema = msgspec.defstruct("Open", [("n", int)])
    await batcher(tmp_path.as_uri(), "parquet", schema=schema).process([record(b'{"n":1,"kinesis_shard_id":"x"}')])
    assert duckdb.sql(f"SELECT n, kinesis_shard_id FROM {table(tmp_path, 'parquet')}").fetchall() == [(1, SHARD)]
