"""The stream's records are valid exactly if the batcher would store them, and have a time."""

from datetime import UTC, datetime
from random import Random

import msgspec
import pytest

from tests.stream_sql.support import BASE, line, shard_record
from truckstream import TruckRecord
from truckstream.errors import InvalidArgumentError
from truckstream.fleet.corruption import CORRUPTIONS
from truckstream.stream_sql.records.columns import ColumnBuilder, columns_of_schema
from truckstream.stream_sql.records.decoding import ARRIVAL_TIME, RecordDecoder
from truckstream.stream_sql.records.event_time import SECOND, EventTimes, microseconds_of


def decode(*lines, schema=TruckRecord, event_time="timestamp"):
    return RecordDecoder(schema, event_time).decode([shard_record(n, data) for n, data in enumerate(lines)])


def test_valid_records_come_with_their_times_in_microseconds():
    decoded = decode(line(0.5), line(2))
    assert [value.truck_id for value in decoded.values] == ["A", "A"]
    assert decoded.times == [BASE * SECOND + 500_000, (BASE + 2) * SECOND]
    assert (decoded.rejected, decoded.without_time) == (0, 0)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda each: f"{each.breakage.kind}-{each.breakage.field}")
def test_each_record_that_the_batcher_rejects_is_left_out_and_counted(corruption):
    broken = corruption.apply(line(1), Random(1))
    decoded = decode(line(0), broken, line(2))
    assert decoded.rejected == 1
    assert [record.sequence_number for record in decoded.records] == ["0", "2"]
    assert len(decoded.values) == len(decoded.times) == 2


def test_a_broken_aggregate_is_left_out():
    record = shard_record(1, line(1))
    record.aggregate_error = "truncated"
    assert RecordDecoder(TruckRecord, "timestamp").decode([record]).rejected == 1


def test_a_record_without_a_time_is_counted_apart():
    decoded = decode(line(0), line(1, timestamp="yesterday"), line(2))
    assert (decoded.rejected, decoded.without_time) == (0, 1)
    assert [record.sequence_number for record in decoded.records] == ["0", "2"]


def test_the_time_can_be_that_of_the_arrival():
    record = shard_record(1, line(1), arrival=7.25)
    decoded = RecordDecoder(TruckRecord, ARRIVAL_TIME).decode([record])
    assert decoded.times == [(BASE + 7) * SECOND + 250_000]


def test_an_event_time_that_is_no_field_is_refused_with_the_fields():
    with pytest.raises(InvalidArgumentError, match=r"event_time is 'time': .*fields are truck_id, timestamp"):
        RecordDecoder(TruckRecord, "time")


@pytest.mark.parametrize(
    ("value", "second"),
    [
        ("2025-01-15 08:00:01", 1),
        ("2025-01-15T08:00:01Z", 1),
        ("2025-01-15T09:00:01.5+01:00", 1.5),
        (BASE + 1.25, 1.25),
        (BASE + 1, 1),
        (datetime(2025, 1, 15, 8, 0, 1, tzinfo=UTC), 1),
    ],
)
def test_times_are_read_as_for_the_folders_of_the_batcher(value, second):
    assert microseconds_of(value) == round((BASE + second) * SECOND)


@pytest.mark.parametrize("value", ["", "soon", None, True, float("nan"), float("inf"), 1e300, [1], "10000-01-01"])
def test_anything_else_is_no_time(value):
    assert microseconds_of(value) is None


def test_times_that_were_read_before_are_read_alike(monkeypatch):
    monkeypatch.setattr("truckstream.stream_sql.records.event_time._REMEMBERED", 1)
    times = EventTimes()
    values = ["2025-01-15 08:00:01", "no", "2025-01-15 08:00:02", BASE]
    assert times.read(values) == times.read(values) == [microseconds_of(each) for each in values]


class Reading(msgspec.Struct):
    at: float
    id: str = msgspec.field(name="truckId")
    tags: list[str] = []
    speed: float | None = None


def test_columns_are_named_and_typed_as_in_a_query_of_stored_objects():
    columns = columns_of_schema(Reading)
    assert [tuple(column) for column in columns[:4]] == [
        ("at", "DOUBLE"),
        ("truckId", "VARCHAR"),
        ("tags", "VARCHAR"),
        ("speed", "DOUBLE"),
    ]
    decoded = decode(b'{"at":1736928001,"truckId":"A","tags":["x"]}', schema=Reading, event_time="at")
    batch = ColumnBuilder(Reading, {"truckId", "tags", "speed"}).build(decoded.values, decoded.records)
    assert decoded.times == [(BASE + 1) * SECOND]
    assert {name: batch.column(name).to_pylist() for name in batch.schema.names} == {
        "truckId": ["A"],
        "tags": ['["x"]'],
        "speed": [None],
    }


def test_a_schema_without_fields_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"must be a msgspec\.Struct"):
        columns_of_schema(None)
