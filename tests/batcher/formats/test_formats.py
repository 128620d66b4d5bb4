"""The bytes, keys and headers of objects in each format, and that DuckDB reads them."""

import datetime as dt
import enum
import gzip
import io
import json
import sys
from typing import Annotated, Any, Literal, NewType

import duckdb
import msgspec
import pytest
from arro3 import core
from arro3.io import write_parquet
from hypothesis import given
from hypothesis import strategies as st

from tests.batcher.support import (
    ARRIVAL,
    SHARD,
    ScriptedStore,
    Small,
    aggregate,
    number,
    numbers,
    record,
    small,
    truck,
    trucks,
)
from truckstream.batcher import Batcher
from truckstream.batcher.formats.parquet import ParquetFormat
from truckstream.batcher.formats.selection import select_formats
from truckstream.batcher.formats.stream_fields import Places
from truckstream.envelope.zstd_module import load_zstd
from truckstream.errors import ConfigurationError, InvalidArgumentError
from truckstream.record import TruckRecord

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: Format, compression, suffix of the keys, and headers.
TABLE = [
    ("ndjson", None, ".json", {"Content-Type": "application/x-ndjson"}),
    ("ndjson", "gzip", ".json.gz", {"Content-Type": "application/gzip"}),
    ("ndjson", "zstd", ".json.zst", {"Content-Type": "application/zstd"}),
    ("json", None, ".json", {"Content-Type": "application/json"}),
    ("json", "gzip", ".json.gz", {"Content-Type": "application/gzip"}),
    ("json", "zstd", ".json.zst", {"Content-Type": "application/zstd"}),
    ("parquet", None, ".parquet", {"Content-Type": "application/vnd.apache.parquet"}),
]
KINDS = [(name, compression) for name, compression, _, _ in TABLE]
UNPACK = {None: bytes, "gzip": gzip.decompress, "zstd": zstd.decompress}


def places(*numbers):
    """Return the places of records with these numbers, a sequence number or "sequence number:subsequence number"."""
    pairs = [number.partition(":")[::2] for number in numbers]
    subsequences = [int(sub) if sub else None for _, sub in pairs]
    return Places(
        SHARD, [number for number, _ in pairs], subsequences, [ARRIVAL + at / 1000 for at in range(len(pairs))]
    )


def batcher(store, name, compression, **options):
    return Batcher(store, format=name, compression=compression, **{"schema": Small, "batch_size": 10} | options)


@pytest.mark.parametrize(("name", "compression", "suffix", "headers"), TABLE)
async def test_the_key_and_headers_show_the_format(name, compression, suffix, headers):
    store = ScriptedStore()
    result = await batcher(store, name, compression).process([*numbers(3), small(3, good=False)])
    (stored,), (rejected,) = result.objects, result.rejected_objects
    assert stored.key.removesuffix(suffix)[-9] == "_"
    attributes = store.objects[stored.key][1]
    assert {key: value for key, value in attributes.items() if key.startswith("Content-")} == headers
    body, attributes = store.objects[rejected.key]
    plain = "application/x-ndjson" if compression is None else f"application/{compression}"
    assert attributes["Content-Type"] == plain
    assert json.loads(UNPACK[compression](body))["reason"] == "unknown_field"


@pytest.mark.parametrize("compression", UNPACK)
async def test_json_objects_have_exactly_these_bytes(compression):
    for name, body in (("ndjson", b'{"n":0}\n{"n":1}\n'), ("json", b'[\n{"n":0},\n{"n":1}\n]\n')):
        store = ScriptedStore()
        await batcher(store, name, compression).process(numbers(2))
        ((stored, _),) = store.objects.values()
        assert UNPACK[compression](stored) == body


def test_gzip_contains_no_time_and_no_host():
    data = select_formats("ndjson", "gzip", None).valid
    assert data.encode([b"{}"], places("1"))[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@pytest.mark.parametrize(("name", "compression"), KINDS)
def test_the_same_lines_give_the_same_bytes(name, compression):
    lines, where = [truck(n) for n in range(700)], places(*map(number, range(700)))
    first, second = (select_formats(name, compression, TruckRecord).valid.encode(lines, where) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("name", "compression"), KINDS)
@given(st.data(), st.booleans())
def test_the_text_of_an_object_can_be_read_back(name, compression, data, fields):
    form = select_formats(name, compression, Small, add_stream_fields=fields).valid
    given_lines = data.draw(st.lists(st.integers(0, 10**6).map(lambda n: b'{"n":%d}' % n), min_size=1, max_size=20))
    where = places(*(f"{n}:{n % 3}" if n % 2 else str(n) for n in range(len(given_lines))))
    assert form.read_text(form.encode(given_lines, where)) == form.text(given_lines, where)


@pytest.mark.parametrize(("name", "compression"), KINDS)
@given(st.data())
def test_reading_any_other_content_raises_nothing(name, compression, data):
    form = select_formats(name, compression, Small).valid
    whole = form.encode([b'{"n":1}', b'{"n":2}'], places("1", "2:0"))
    at = data.draw(st.integers(0, len(whole) - 1))
    corrupted = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + data.draw(st.integers(0, 3)) :]
    for content in (corrupted, data.draw(st.binary(max_size=100)), whole[:at]):
        assert form.read_text(content) is None or isinstance(form.read_text(content), bytes)


def test_foreign_or_damaged_parquet_is_not_passed_to_the_reader():
    """The Parquet reader crashes on some damaged files."""
    form = select_formats("parquet", None, Small).valid
    whole = form.encode([b'{"n":1}'], places("1"))
    assert form.read_text(whole) == b'[1,"1",null]\n'
    for at in range(len(whole)):
        assert form.read_text(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]) is None
    file = io.BytesIO()
    column = core.Array(["1"], core.DataType.string())
    write_parquet(core.Table.from_arrays([column], names=["kinesis_sequence_number"]), file)
    assert form.read_text(file.getvalue()) is None


@pytest.mark.parametrize("fields", [False, True], ids=["records", "with stream fields"])
@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "content"])
@pytest.mark.parametrize(("name", "compression"), KINDS)
async def test_a_redelivery_adopts_objects_of_every_format(name, compression, metadata, fields):
    """On a store without metadata it compares the content."""
    options = {"add_stream_fields": fields}
    store = ScriptedStore(metadata=metadata)
    users = record(aggregate(*(b'{"n":%d}' % n for n in range(100, 104))), 4)
    records = [*numbers(4), users, *numbers(10, 5)]
    await batcher(store, name, compression, **options).process(records)
    again = await batcher(store, name, compression, **options).process([*records, *numbers(20, 15)])
    assert [(each.records, each.outcome) for each in again.objects] == [
        (10, "already there"),
        (8, "adopted"),
        (10, "created"),
        (10, "created"),
    ]
    assert again.stored == 38


async def test_an_object_of_another_format_under_the_same_key_is_a_collision():
    """After a change of the format the records are stored again, under another key."""
    for metadata in (True, False):
        store = ScriptedStore(metadata=metadata)
        await batcher(store, "ndjson", None).process(numbers(10))
        result = await batcher(store, "json", None).process(numbers(10))
        assert [each.outcome for each in result.objects] == ["created"]
        assert len(store.objects) == 2


# --- Read by DuckDB -------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["flat", "hive"])
@pytest.mark.parametrize(("name", "compression"), KINDS)
async def test_duckdb_reads_every_format(name, compression, layout, tmp_path):
    made = Batcher(tmp_path.as_uri(), format=name, compression=compression, layout=layout)
    await made.process([*trucks(900), record(b"?", 900)])
    reader = "read_parquet" if name == "parquet" else "read_json"
    files = f"{tmp_path}/sensor_data/**/batch_*"
    hive = ", hive_partitioning = true" if layout == "hive" else ""
    query = f"SELECT count(*), count(DISTINCT truck_id), sum(speed) FROM {reader}('{files}'{hive})"
    count, trucks_seen, speed = duckdb.sql(query).fetchall()[0]
    assert (count, trucks_seen, round(speed, 1)) == (900, 900, round(900 * 65.4, 1))
    if layout == "hive":
        (partition,) = duckdb.sql(f"SELECT DISTINCT year, month, day, hour FROM {reader}('{files}'{hive})").fetchall()
        assert [int(part) for part in partition] == [2025, 1, 15, 14]


class Colour(enum.Enum):
    RED = "red"


class Every(msgspec.Struct, rename="camel"):
    whole_number: Annotated[int, msgspec.Meta(description="of 64 bits")]
    ratio: float
    flag: bool
    text: str
    choice: Literal["a", "b"]
    colour: Colour
    day: dt.date
    nested: dict[str, int]
    mixed: int | str
    anything: Any = None
    maybe: Annotated[float, msgspec.Meta(ge=0)] | None = None
    absent: str | msgspec.UnsetType = msgspec.UNSET


EVERY = {
    "wholeNumber": -(2**63),
    "ratio": 1,
    "flag": True,
    "text": "käse",
    "choice": "a",
    "colour": "red",
    "day": "2025-01-15",
    "nested": {"a": 1},
    "mixed": 7,
}


async def test_parquet_has_a_typed_column_for_each_field(tmp_path):
    made = Batcher(tmp_path.as_uri(), format="parquet", schema=Every)
    data = msgspec.json.encode(EVERY)
    users = record(aggregate(data, msgspec.json.encode(EVERY | {"maybe": 2.5, "absent": "here", "anything": [1]})), 1)
    await made.process([record(data, 0), users])
    table = duckdb.sql(f"SELECT * FROM read_parquet('{tmp_path}/sensor_data/*.parquet')")
    assert dict(zip(table.columns, map(str, table.types), strict=True)) == {
        "wholeNumber": "BIGINT",
        "ratio": "DOUBLE",
        "flag": "BOOLEAN",
        "text": "VARCHAR",
        "choice": "VARCHAR",
        "colour": "VARCHAR",
        "day": "VARCHAR",
        "nested": "VARCHAR",
        "mixed": "VARCHAR",
        "anything": "VARCHAR",
        "maybe": "DOUBLE",
        "absent": "VARCHAR",
        "kinesis_sequence_number": "VARCHAR",
        "kinesis_subsequence_number": "BIGINT",
    }
    first = (-(2**63), 1.0, True, "käse", "a", "red", "2025-01-15", '{"a":1}', "7")
    assert table.fetchall() == [
        (*first, None, None, None, number(0), None),
        (*first, None, None, None, number(1), 0),
        (*first, "[1]", 2.5, "here", number(1), 1),
    ]


@pytest.mark.parametrize("literal", [b"%d" % n for n in (2**63, -(2**63) - 1, 10**30, 10**400)] + [b"9" * 5_000])
@pytest.mark.parametrize(("name", "compression"), KINDS)
async def test_an_integer_beyond_64_bits_is_rejected_in_every_format(name, compression, literal):
    data = msgspec.json.encode(EVERY).replace(b"-9223372036854775808", literal)
    result = await batcher(ScriptedStore(), name, compression, schema=Every).process([record(data)])
    (refusal,) = result.refusals
    assert (refusal.code, refusal.field) == ("out_of_range", "wholeNumber")


OdometerMiles = NewType("OdometerMiles", int)


class Integers(msgspec.Struct):
    optional: int | None = None
    new_type: OdometerMiles = OdometerMiles(0)
    described: Annotated[int, "miles", msgspec.Meta(ge=0)] = 0
    both: Annotated[OdometerMiles | None, msgspec.Meta(description="miles")] = None
    unset: int | msgspec.UnsetType = msgspec.UNSET
    positive: Annotated[int, msgspec.Meta(ge=0)] = 0
    small: Annotated[int, msgspec.Meta(gt=-10, lt=10)] = 0
    text: int | str = 0
    listed: list[int] = []


@pytest.mark.parametrize("name", ["ndjson", "json", "parquet"])
@pytest.mark.parametrize("field", Integers.__struct_fields__)
async def test_every_format_judges_the_integers_of_a_struct_alike(name, field):
    """What becomes a column of text may have any length."""
    is_text = field in {"text", "listed"}
    for value in (2**63 - 1, 2**63, 10**400):
        literal = b"[%d]" % value if field == "listed" else b"%d" % value
        data = b'{"%b":%b}' % (field.encode(), literal)
        result = await batcher(ScriptedStore(), name, None, schema=Integers).process([record(data)])
        assert result.stored == (is_text or (value < 2**63 and field != "small")), value


#: Values that no truck sends, of fields for which the record has no limits.
UNUSUAL = [
    {"truck_id": "\x00\x01\x1f\x7f\u2028\n\r\t 卡車"},
    {"timestamp": "noon"},
    {"timestamp": ""},
    {"latitude": 927.0, "longitude": -1e300},
    {"engine_rpm": -(2**63), "miles_since_maintenance": 2**63 - 1},
]


@pytest.mark.parametrize(("name", "compression"), KINDS)
async def test_the_data_lake_holds_every_value_that_the_record_allows(name, compression, tmp_path):
    made = Batcher(tmp_path.as_uri(), format=name, compression=compression)
    result = await made.process([record(truck(**change), n) for n, change in enumerate([{}, *UNUSUAL])])
    assert result.stored == 1 + len(UNUSUAL)
    reader = "read_parquet" if name == "parquet" else "read_json"
    table = duckdb.sql(f"SELECT * FROM {reader}('{tmp_path}/sensor_data/*')")
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.fetchall()]
    for change in UNUSUAL:
        assert any(change.items() <= row.items() for row in rows), change


async def test_in_an_array_records_must_be_json_whatever_the_schema():
    records = [record(data, n) for n, data in enumerate((b'{"a":\n1}', b"[1,", b"7", b'"\xff"', b"x" * 3, b""))]
    for schema in (None, len):
        store = ScriptedStore()
        result = await batcher(store, "json", None, schema=schema).process(records)
        assert (result.stored, result.rejected) == (2, 4)
        assert {each.code for each in result.refusals} <= {"malformed_json", "schema"}
        assert json.loads(store.objects[result.objects[0].key][0]) == [{"a": 1}, 7]


class Recursive(msgspec.Struct):
    children: "list[Recursive]"


class RecursiveRaw(msgspec.Struct):
    children: "list[RecursiveRaw]"
    raw: msgspec.Raw = msgspec.Raw(b"{}")


def with_field(kind):
    return msgspec.defstruct("WithField", [("a", kind)])


#: Structs that contain a msgspec.Raw.
WITH_RAW = [
    *map(
        with_field,
        [msgspec.Raw, list[msgspec.Raw], dict[str, msgspec.Raw], msgspec.Raw | None, tuple[int, msgspec.Raw]],
    ),
    with_field(with_field(list[dict[str, msgspec.Raw]])),
    with_field(Annotated[list[Annotated[msgspec.Raw, msgspec.Meta()]], msgspec.Meta()]),
    RecursiveRaw,
]


async def test_a_struct_that_contains_itself_makes_parquet():
    data = b'{"children":[{"children":[]}]}'
    assert (await Batcher(ScriptedStore(), format="parquet", schema=Recursive).process([record(data)])).stored == 1


# --- Rejected options ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "compression", "schema", "message"),
    [
        ("csv", None, TruckRecord, "format is 'csv'"),
        ("ndjson", "lz4", TruckRecord, "compression is 'lz4'"),
        ("parquet", "gzip", TruckRecord, "zstd"),
        ("parquet", None, None, "takes its columns from the fields"),
        ("parquet", None, dict[str, int], "takes its columns from the fields"),
        *(("parquet", None, schema, "must not have a msgspec.Raw") for schema in WITH_RAW),
        (
            "parquet",
            None,
            msgspec.defstruct("Taken", [("kinesis_sequence_number", str)]),
            "must not have the field kinesis_sequence_number",
        ),
    ],
)
def test_an_invalid_combination_of_options_is_rejected(name, compression, schema, message):
    with pytest.raises(InvalidArgumentError, match=message):
        Batcher("memory:///", format=name, compression=compression, schema=schema)


@pytest.mark.parametrize(
    ("options", "missing"),
    [({"compression": "zstd"}, "Install backports-zstd"), ({"format": "parquet"}, r"truckstream\[parquet\]")],
)
def test_the_error_names_the_missing_package(options, missing, monkeypatch):
    load_zstd.cache_clear()
    for name in ("backports", "backports.zstd", "compression", "compression.zstd", "arro3", "arro3.io"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "truckstream.batcher.formats.parquet", raising=False)
    with pytest.raises(ConfigurationError, match=missing):
        Batcher("memory:///", **options)


def test_parquet_with_other_columns_holds_other_records():
    other = ParquetFormat(msgspec.defstruct("Other", [("a", int)]))
    assert ParquetFormat(Small).read_text(other.encode([b'{"a":1}'], places("7"))) is None
    assert ParquetFormat(Small).read_text(b"PAR1") is None


@pytest.mark.parametrize("metadata", [True, False], ids=["metadata", "content"])
@pytest.mark.parametrize(("name", "compression"), KINDS)
async def test_two_records_with_one_number_are_both_stored_in_every_format(name, compression, metadata):
    """An event ends between them, and another one holds the second only."""
    store = ScriptedStore(metadata=metadata)
    first, second = (record(b'{"n":%d}' % n, sequence=number(0)) for n in range(2))
    for event in ([first, small(9)], [second], [second], [first, small(9)]):
        result = await batcher(store, name, compression).process(event)
        assert result.stored == len(event)
    assert len(store.objects) == 2
