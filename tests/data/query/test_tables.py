"""Records in every format, compression and layout are one table, and the tables read no more than they must."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypedDict

import duckdb
import msgspec
import obstore.store
import pytest

import truckstream
from tests.batcher.support import record, truck
from truckstream.batcher import Batcher
from truckstream.data.compaction.manifests.manifest import CompactionFolder, HourNumber, Manifest, numbered_key
from truckstream.data.query import open_tables, query
from truckstream.errors import ConfigurationError, InvalidArgumentError, StoreError
from truckstream.record import TruckRecord

BEGIN = datetime(2025, 1, 15, 14, tzinfo=UTC)

#: Every way to store records.
WAYS = [
    {"format": name, "compression": compression, "layout": layout}
    for layout in ("flat", "hive")
    for name, compression in (
        *(("ndjson", None), ("ndjson", "gzip"), ("ndjson", "zstd")),
        *(("json", None), ("json", "gzip"), ("json", "zstd"), ("parquet", None)),
    )
]


async def store(where, numbers, *, hour=0, schema=TruckRecord, data=truck, **options):
    """Store the reports with these numbers; they arrive `hour` hours after `BEGIN`."""
    arrival = BEGIN.timestamp() + 3_600 * hour
    await Batcher(where, schema=schema, **options).process([record(data(n), n, arrival=arrival) for n in numbers])


def rows(sql, where, **options):
    return query(sql, where, **options).fetchall()


async def test_objects_of_every_kind_are_one_table(tmp_path):
    for n, way in enumerate(WAYS):
        await store(tmp_path.as_uri(), [2 * n, 2 * n + 1], hour=n, **way)
    assert len(list((tmp_path / "sensor_data").rglob("batch_*"))) == len(WAYS)
    found = rows("SELECT truck_id, count(*), count(DISTINCT object_key) FROM records GROUP BY 1 ORDER BY 1", tmp_path)
    assert found == [(f"TRUCK_{n:03}", 1, 1) for n in range(2 * len(WAYS))]


async def test_a_row_names_its_object(tmp_path):
    await store(tmp_path.as_uri(), [1], hour=2, layout="hive")
    [(key, arrival)] = rows("SELECT object_key, object_arrival FROM records", tmp_path)
    assert (tmp_path / key).is_file()
    assert arrival == datetime(2025, 1, 15, 16)  # noqa: DTZ001 - UTC, as a TIMESTAMP has it


async def test_the_values_are_those_of_the_record(tmp_path):
    for way in WAYS[:7]:
        where = tmp_path / f"{way['format']}-{way['compression']}"
        await store(where.as_uri(), [7], **way)
        found = query("FROM records", where)
        fields = truckstream.record.FIELDS
        (row,) = found.fetchall()
        assert dict(zip(found.columns, row[: len(fields)], strict=False)) == json.loads(truck(7))
        kinds = {"VARCHAR": str, "DOUBLE": float, "BIGINT": int}
        assert [kinds[str(kind)] for kind in found.types[: len(fields)]] == [field.kind for field in fields]


async def test_stream_fields_are_null_where_they_were_not_stored(tmp_path):
    for hour, way in enumerate(({}, {"format": "parquet"})):
        await store(tmp_path.as_uri(), [1], hour=hour, add_stream_fields=True, **way)
        await store(tmp_path.as_uri(), [2], hour=hour, **way)
    sql = """
        SELECT truck_id, kinesis_sequence_number[-3:], kinesis_subsequence_number, kinesis_shard_id,
        kinesis_arrival_time FROM records ORDER BY object_arrival, truck_id
    """
    arrivals = [datetime(2025, 1, 15, 14 + hour) for hour in range(2)]  # noqa: DTZ001
    assert rows(sql, tmp_path) == [
        ("TRUCK_001", "899", None, "shardId-000000000000", arrivals[0]),
        ("TRUCK_002", None, None, None, None),
        ("TRUCK_001", "899", None, "shardId-000000000000", arrivals[1]),
        ("TRUCK_002", "900", None, None, None),
    ]


# --- Other schemas ----------------------------------------------------------------------------------


class Reading(msgspec.Struct, rename={"place": "Place's name"}):
    n: Annotated[int, msgspec.Meta(ge=0)]
    warm: bool
    celsius: float | None
    more: list[int]
    place: str


def reading(n):
    return msgspec.json.encode({"n": n, "warm": True, "celsius": None, "more": [n], "Place's name": "a", "new": 1})


@pytest.mark.parametrize("format_", ["ndjson", "json", "parquet"])
async def test_a_schema_decides_the_columns(tmp_path, format_):
    """The field "new" is unknown to the schema, which allows it: it is no column."""
    await store(tmp_path.as_uri(), [3], schema=Reading, data=reading, format=format_)
    found = query("FROM records", tmp_path, schema=Reading)
    assert list(zip(found.columns, map(str, found.types), strict=True))[:5] == [
        ("n", "BIGINT"),
        ("warm", "BOOLEAN"),
        ("celsius", "DOUBLE"),
        ("more", "VARCHAR"),
        ("Place's name", "VARCHAR"),
    ]
    assert "new" not in found.columns
    assert found.fetchall()[0][:5] == (3, True, None, "[3]", "a")


async def test_without_a_schema_duckdb_detects_the_columns(tmp_path):
    """Also those of later objects, and of objects in other formats."""
    await store(tmp_path.as_uri(), [1], schema=None, data=lambda n: b'{"a":%d}' % n)
    await store(tmp_path.as_uri(), [2], schema=None, hour=1, data=lambda n: b'{"b":{"c":%d}}' % n)
    await store(tmp_path.as_uri(), [3], schema=Reading, hour=2, data=reading, format="parquet")
    assert rows("SELECT a, b.c, n FROM records ORDER BY ALL NULLS LAST", tmp_path, schema=None) == [
        (1, None, None),
        (None, 2, None),
        (None, None, 3),
    ]


async def test_a_field_that_has_the_name_of_a_column_of_ours_stays(tmp_path):
    schema = msgspec.defstruct("Odd", [("object_key", str), ("kinesis_shard_id", int)])
    await store(tmp_path.as_uri(), [1], schema=schema, data=lambda _: b'{"object_key":"mine","kinesis_shard_id":7}')
    assert rows("SELECT object_key, kinesis_shard_id FROM records", tmp_path, schema=schema) == [("mine", 7)]


def test_fields_that_differ_in_case_only_are_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match="'Speed' and 'speed', which are one column"):
        query("FROM records", tmp_path, schema=TypedDict("Twice", {"speed": int, "Speed": int}))


# --- What is read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["flat", "hive"])
async def test_since_and_until_choose_the_objects(tmp_path, layout):
    for hour in range(4):
        await store(tmp_path.as_uri(), [hour], hour=hour, layout=layout)
        await store(tmp_path.as_uri(), [hour], hour=hour, layout=layout, schema=str)  # rejects all
    times = {"since": BEGIN + timedelta(hours=1), "until": BEGIN + timedelta(hours=3)}
    for table in ("records", "rejected"):
        found = rows(f"SELECT hour(object_arrival) FROM {table} ORDER BY 1", tmp_path, **times)
        assert found == [(15,), (16,)]


async def test_a_filter_on_the_object_opens_no_other_object(tmp_path):
    for hour in range(4):
        await store(tmp_path.as_uri(), [hour], hour=hour)
    paths = sorted((tmp_path / "sensor_data").rglob("batch_*"))
    for path in paths[:3]:
        path.write_bytes(b"broken")
    key = paths[3].relative_to(tmp_path).as_posix()
    for condition in ("object_arrival >= TIMESTAMP '2025-01-15 17:00:00'", f"object_key = '{key}'"):
        assert rows(f"SELECT truck_id FROM records WHERE {condition}", tmp_path) == [("TRUCK_003",)]
    with pytest.raises(duckdb.Error, match="|".join(path.name for path in paths[:3])):
        rows("SELECT truck_id FROM records", tmp_path)


async def test_a_compacted_file_replaces_its_sources(tmp_path):
    for n in range(3):
        await store(tmp_path.as_uri(), [n], hour=n / 4, layout=("flat", "hive")[n % 2])
    await store(tmp_path.as_uri(), [3], hour=1)
    sources = [path.relative_to(tmp_path).as_posix() for path in (tmp_path / "sensor_data").rglob("batch_*T14-*")]
    assert len(sources) == 3
    folder = CompactionFolder("sensor_data")
    file = folder.file_key(BEGIN, sources)
    (tmp_path / file).parent.mkdir(parents=True)
    query("SELECT * EXCLUDE (object_key, object_arrival) FROM records", tmp_path).filter(
        "truck_id <> 'TRUCK_003'"
    ).write_parquet(str(tmp_path / file))
    sql = "SELECT truck_id, object_key[:9], hour(object_arrival) FROM records ORDER BY 1"
    before = rows(sql, tmp_path)
    assert [key for _, key, _ in before] == ["sensor_da"] * 4  # without a manifest the file is not complete
    size = (tmp_path / file).stat().st_size
    manifest = Manifest(hour=BEGIN, number=1, file=file, size=size, sha256="", records=3, sources=sources)
    path = tmp_path / numbered_key(folder.manifests, HourNumber(BEGIN, 1))
    path.parent.mkdir(parents=True)
    path.write_bytes(manifest.encode())
    expected = [(f"TRUCK_{n:03}", "compacted", 14) for n in range(3)] + [("TRUCK_003", "sensor_da", 15)]
    assert rows(sql, tmp_path) == expected
    for source in sources:
        (tmp_path / source).unlink()
    assert rows(sql, tmp_path) == expected
    assert rows(sql, tmp_path, until=BEGIN + timedelta(hours=1)) == expected[:3]
    assert rows(sql, obstore.store.LocalStore(tmp_path)) == expected


async def test_other_objects_in_the_folders_are_left_out(tmp_path):
    await store(tmp_path.as_uri(), [1])
    for name in ("notes.json", "batch_index.json", "year=2025/_temporary.parquet"):
        (tmp_path / "sensor_data" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "sensor_data" / name).write_text("something else")
    assert rows("SELECT count(*) FROM records", tmp_path) == [(1,)]


@pytest.mark.parametrize("folder", ["a [b-c] d", "what*?", "it's", "{x,y}", "ä ö", "100%"])
async def test_a_directory_may_have_any_name(tmp_path, folder):
    where = tmp_path / folder
    where.mkdir()
    (tmp_path / "a b d").mkdir()  # the wildcards would match it
    for name in (where, tmp_path / "a b d"):
        await store(name.as_uri(), [1])
    [(count, key)] = rows("SELECT count(*), max(object_key) FROM records", where)
    assert (count, (where / key).is_file()) == (1, True)


# --- Rejected records -------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
async def test_rejected_records_have_their_reason_and_bytes(tmp_path, compression):
    event = [record(truck(1, speed=200), 1), record(b"\xff", 2), record(b"", 3, encoded="!")]
    await Batcher(tmp_path.as_uri(), compression=compression).process(event)
    sql = "SELECT reason, field, value, data IS NULL, data_base64, data_undecoded FROM rejected ORDER BY arrival"
    assert rows(sql, tmp_path) == [
        ("out_of_range", "speed", "200", False, None, None),
        ("malformed_json", None, None, True, "/w==", None),
        ("not_base64", None, None, True, None, "!"),
    ]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_batches_that_lambda_gave_up(tmp_path, elsewhere):
    where = tmp_path / "failed" if elsewhere else tmp_path
    await store(tmp_path.as_uri(), [1])
    for hour in (14, 16):
        path = where / f"aws/lambda/5e8bbb2e/shardId-000000000000/2025/01/15/2025-01-15T{hour}.40.00-a1b2"
        path.parent.mkdir(parents=True, exist_ok=True)
        info = {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": str(hour),
            "endSequenceNumber": "99",
            "approximateArrivalOfFirstRecord": f"2025-01-15T{hour}:30:25.001Z",
            "approximateArrivalOfLastRecord": f"2025-01-15T{hour}:30:26Z",
            "batchSize": 3,
            "streamArn": "it's an ARN",
        }
        path.write_text(json.dumps({"requestContext": {"condition": "RecordAgeExceeded"}, "KinesisBatchInfo": info}))
    (where / "aws/lambda/5e8bbb2e/shardId-000000000000/2025/01/15/2025-01-15T17.00.00-b").write_text("broken")
    options = {"given_up_store": where} if elsewhere else {}
    found = query("SELECT * EXCLUDE (key) FROM given_up ORDER BY ALL", tmp_path, **options)
    arrivals = [datetime(2025, 1, 15, 14, 30, 25, 1_000), datetime(2025, 1, 15, 14, 30, 26)]  # noqa: DTZ001
    row = ("it's an ARN", "shardId-000000000000", "14", "99", 3, "RecordAgeExceeded", *arrivals)
    assert found.fetchall()[0] == row
    late = {**options, "since": BEGIN + timedelta(hours=2)}
    assert rows("SELECT first_sequence_number FROM given_up", tmp_path, **late) == [("16",)]


async def test_a_table_without_objects_is_empty(tmp_path):
    await store(tmp_path.as_uri(), [1])
    assert rows("SELECT reason, object_arrival FROM rejected", tmp_path) == []
    assert rows("SELECT * FROM given_up", tmp_path) == []
    await store((tmp_path / "other").as_uri(), [1], schema=str)
    found = query("FROM records", tmp_path / "other")
    assert found.fetchall() == []
    assert found.columns == query("FROM records", tmp_path).columns


# --- The functions ----------------------------------------------------------------------------------


def test_an_empty_store_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="has no objects of the batcher in sensor_data/ or rejected/") as caught:
        query("FROM records", tmp_path)
    assert caught.value.code == "NoObjects"
    with pytest.raises(StoreError, match=r"that arrived from 2025-01-15 14:00:00\+00:00 on"):
        query("FROM records", tmp_path, since=BEGIN)


def test_a_table_must_be_known(tmp_path):
    with pytest.raises(InvalidArgumentError, match="tables is 'recrods': must be of records, rejected, given_up"):
        open_tables(tmp_path, tables=["recrods"])


async def test_several_statements_answer_with_the_rows_of_the_last(tmp_path):
    await store(tmp_path.as_uri(), [1])
    assert rows("CREATE TABLE kept AS FROM records; SELECT count(*) FROM kept", tmp_path) == [(1,)]


async def test_a_misspelt_name_is_answered_with_a_suggestion(tmp_path):
    await store(tmp_path.as_uri(), [1])
    with pytest.raises(duckdb.BinderException, match=r'"trck_id" not found.*\n.*"truck_id"'):
        query("SELECT trck_id FROM records", tmp_path)
    with pytest.raises(duckdb.CatalogException, match="recrds does not exist"):
        query("SELECT * FROM recrds", tmp_path)


async def test_a_connection_answers_several_queries(tmp_path):
    await store(tmp_path.as_uri(), [1])
    with open_tables(tmp_path) as tables:
        assert tables.sql("SELECT count(*) FROM records").fetchall() == [(1,)]
        assert tables.sql("SELECT count(*) FROM rejected").fetchall() == [(0,)]
        assert tables.sql("SELECT from_unixtime(1.5), date_format(TIMESTAMP '2025-01-02', '%Y')").fetchall() == [
            (datetime(1970, 1, 1, 0, 0, 1, 500_000), "2025")  # noqa: DTZ001
        ]


def test_a_missing_package_is_named(monkeypatch):
    import sys  # noqa: PLC0415

    monkeypatch.delitem(sys.modules, "truckstream.data.query.tables")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigurationError, match=r"needs the package duckdb.*pip install 'truckstream\[query\]'"):
        __import__("truckstream.data.query.tables")
