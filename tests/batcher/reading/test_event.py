"""Reading Lambda's events: those of a Kinesis shard are decoded, all others are rejected."""

import pytest

from tests.batcher.support import ARN, SHARD, number, record
from truckstream.batcher.reading.event import UnreadableData, read_event
from truckstream.errors import InvalidArgumentError


def test_an_event_becomes_parallel_lists():
    event = read_event([record(b"a", 0), record(b"b", 1)])
    assert (event.stream, event.shard, len(event)) == (ARN, SHARD, 2)
    assert event.payloads == [b"a", b"b"]
    assert event.sequences == [number(0), number(1)]
    assert event.partition_keys == ["TRUCK_000", "TRUCK_001"]
    assert event.arrivals == [1736951425.0, 1736951425.001]


@pytest.mark.parametrize("data", ["#", "QQ", "QQ=", "QQ===", "QQ==\n", "Q Q==", "QQ==QQ==", "-_-_", "é", 7, None, []])
def test_data_that_is_not_base64_concerns_its_record_only(data):
    """The other records are decoded."""
    records = [record(b"a", 0), record(b"", 1), record(b"c", 2)]
    records[1]["kinesis"]["data"] = data
    assert read_event(records).payloads == [
        b"a",
        UnreadableData("not_base64", data, "the event's data must be base64"),
        b"c",
    ]


def test_a_record_without_data_is_unreadable():
    records = [record(b"a", 0)]
    del records[0]["kinesis"]["data"]
    assert read_event(records).payloads == [UnreadableData("not_base64", None, "the event's data must be base64")]


def test_records_are_sorted_by_sequence_number_as_an_integer():
    """9 comes before 10, although the string "10" comes before "9"."""
    records = [record(b"%d" % n, n) for n in (10, 9, 100)]
    for each, sequence in zip(records, ("10", "9", "100"), strict=True):
        each["kinesis"]["sequenceNumber"] = sequence
    event = read_event(records)
    assert event.sequences == ["9", "10", "100"]
    assert event.payloads == [b"9", b"10", b"100"]


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ([{"eventSource": "aws:sqs", "body": "x", "eventSourceARN": "arn:x"}], "aws:sqs"),
        ([{"s3": {}}], "these are not the records of a Kinesis event"),
        ([7], "these are not the records of a Kinesis event"),
        (["text"], "these are not the records of a Kinesis event"),
        ([record(b"a", 0), {}], r"records\[1\]"),
    ],
)
def test_an_event_of_another_source_is_rejected(records, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        read_event(records)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sequenceNumber", ""),
        ("sequenceNumber", "12a"),
        ("sequenceNumber", "١٢"),
        ("sequenceNumber", 12),
        ("approximateArrivalTimestamp", -1.0),
        ("approximateArrivalTimestamp", 1e18),
        ("approximateArrivalTimestamp", float("nan")),
        ("approximateArrivalTimestamp", "now"),
    ],
)
def test_a_malformed_sequence_number_or_arrival_is_rejected(field, value):
    records = [record(b"a", 0), record(b"b", 1)]
    records[1]["kinesis"][field] = value
    with pytest.raises(InvalidArgumentError):
        read_event(records)


@pytest.mark.parametrize("change", [{"eventID": f"shardId-000000000001:{number(1)}"}, {"eventSourceARN": "arn:other"}])
def test_records_of_two_shards_are_rejected(change):
    with pytest.raises(InvalidArgumentError, match="one call takes the records of one shard"):
        read_event([record(b"a", 0), record(b"b", 1) | change])
