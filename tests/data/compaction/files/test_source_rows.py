"""Rows of sources of every format: the same records give the same rows."""

from __future__ import annotations

from typing import Literal

import msgspec
import obstore.store
import pytest

from tests.batcher.support import SHARD, contents, number, record, truck
from truckstream.batcher import Batcher
from truckstream.data.compaction.files.source_rows import BrokenSourceError, SourceRows
from truckstream.errors import InvalidArgumentError
from truckstream.record import TruckRecord

FORMATS = [
    {"format": "ndjson"},
    {"format": "ndjson", "compression": "gzip"},
    {"format": "ndjson", "compression": "zstd"},
    {"format": "json"},
    {"format": "json", "compression": "gzip"},
    {"format": "json", "compression": "zstd"},
    {"format": "parquet"},
]


class Inner(msgspec.Struct):
    x: int


class Reading(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A field of each kind that has a rule of its own."""

    sensor_id: str
    value: int | str
    level: Literal["low", "high"] = "low"
    inner: Inner | None = None
    ratio: float | msgspec.UnsetType = msgspec.UNSET


READINGS = [
    b'{"sensorId":"a\\u0000\\u2028","value":9223372036854775807,"level":"high","ratio":0.1}',
    b'{"sensorId":"","value":"x","inner":{"x":1}}',
    b'{"sensorId":"\\"kinesis_sequence_number\\":\\"1\\"","value":-1,"ratio":1e308}',
]


async def stored(records, schema, **options):
    """The suffix and the content of the object that the batcher makes of records."""
    store = obstore.store.MemoryStore()
    batcher = Batcher(store, schema=schema, **options)
    result = await batcher.process([record(data, n) for n, data in enumerate(records)])
    assert result.stored == len(records)
    [(key, content)] = contents(store).items()
    return key[key.index(".") :], content


def values(table):
    """The rows without the stream fields."""
    names = [name for name in table.column_names if not name.startswith("kinesis_")]
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def place(table):
    names = [name for name in table.column_names if name.startswith("kinesis_")]
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))


@pytest.mark.parametrize("options", FORMATS, ids=str)
@pytest.mark.parametrize("add_stream_fields", [False, True])
async def test_every_format_gives_the_same_rows(options, add_stream_fields):
    suffix, content = await stored(READINGS, Reading, add_stream_fields=add_stream_fields, **options)
    table = SourceRows(Reading).read(suffix, content, records=3)
    assert values(table) == [
        ("a\0\u2028", "9223372036854775807", "high", None, 0.1),
        ("", "x", "low", '{"x":1}', None),
        ('"kinesis_sequence_number":"1"', "-1", "low", None, 1e308),
    ]
    numbers = [number(n) for n in range(3)] if add_stream_fields or suffix == ".parquet" else [None] * 3
    assert [row[0] for row in place(table)] == numbers
    assert [row[2] for row in place(table)] == [SHARD if add_stream_fields else None] * 3


async def test_the_time_of_arrival_is_the_same_from_lines_and_from_rows():
    arrivals = []
    for name in ("ndjson", "parquet"):
        suffix, content = await stored([truck(1), truck(2)], TruckRecord, format=name, add_stream_fields=True)
        arrivals.append([row[3] for row in place(SourceRows(TruckRecord).read(suffix, content))])
    assert arrivals[0] == arrivals[1]
    assert len(set(arrivals[0])) == 2


async def test_the_columns_are_those_of_the_batchers_parquet():
    suffix, content = await stored([truck(1)], TruckRecord, format="parquet", add_stream_fields=True)
    from_parquet = SourceRows(TruckRecord).read(suffix, content).schema
    suffix, content = await stored([truck(1)], TruckRecord)
    from_lines = SourceRows(TruckRecord).read(suffix, content).schema
    assert from_lines == from_parquet
    assert len(from_lines.names) == 26


@pytest.mark.parametrize("options", FORMATS, ids=str)
async def test_a_damaged_object_is_broken(options):
    suffix, content = await stored([truck(n) for n in range(9)], TruckRecord, **options)
    rows = SourceRows(TruckRecord)
    for end in (0, 1, len(content) // 2, len(content) - 1):
        with pytest.raises(BrokenSourceError):
            rows.read(suffix, content[:end])


@pytest.mark.parametrize(("suffix", "content"), [(".json", b"{}\n"), (".json", b"\xff\n"), (".json", b'{"n":1e400}\n')])
def test_other_records_are_broken(suffix, content):
    with pytest.raises(BrokenSourceError, match="does not fit the schema"):
        SourceRows(TruckRecord).read(suffix, content)


def test_a_number_that_no_column_holds_is_broken():
    class Wide(msgspec.Struct):
        n: int

    with pytest.raises(BrokenSourceError, match="does not fit the schema"):
        SourceRows(Wide).read(".json", b'{"n":18446744073709551616}\n')


async def test_a_missing_record_is_noticed_by_the_metadata():
    suffix, content = await stored([truck(n) for n in range(9)], TruckRecord)
    rest = content[content.index(b"\n") + 1 :]
    with pytest.raises(BrokenSourceError, match="it has 8 records, and 9 by its metadata"):
        SourceRows(TruckRecord).read(suffix, rest, records=9)


async def test_columns_of_another_schema():
    class Old(msgspec.Struct):
        a: int

    class New(msgspec.Struct):
        a: int
        b: int | None = None

    class Strict(msgspec.Struct):
        a: int
        b: int

    class Text(msgspec.Struct):
        a: str

    suffix, old = await stored([b'{"a":1}'], Old, format="parquet")
    assert values(SourceRows(New).read(suffix, old)) == [(1, None)]
    with pytest.raises(BrokenSourceError, match="no column b, and the schema requires one"):
        SourceRows(Strict).read(suffix, old)
    with pytest.raises(BrokenSourceError, match="column a is Int64, and the schema's is Utf8"):
        SourceRows(Text).read(suffix, old)
    suffix, new = await stored([b'{"a":1,"b":2}'], New, format="parquet")
    with pytest.raises(BrokenSourceError, match="the column b, and the schema has no such field"):
        SourceRows(Old).read(suffix, new)


@pytest.mark.parametrize("schema", [None, dict, len])
def test_a_schema_must_have_columns(schema):
    with pytest.raises(InvalidArgumentError, match="schema"):
        SourceRows(schema)


def test_a_field_must_not_have_the_name_of_a_stream_field():
    taken = msgspec.defstruct("Taken", [("kinesis_shard_id", str)])
    with pytest.raises(InvalidArgumentError, match="must not have the field kinesis_shard_id"):
        SourceRows(taken)
