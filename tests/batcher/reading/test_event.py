"""What Lambda delivers, and what is no delivery of Kinesis."""

import pytest

from tests.batcher.support import ARN, SHARD, number, record
from truckstream.batcher.reading.event import UnreadableData, read_event
from truckstream.errors import InvalidArgumentError


def test_a_delivery_is_one_shard_in_parallel_lists():
    delivery = read_event([record(b"a", 0), record(b"b", 1)])
    assert (delivery.stream, delivery.shard, len(delivery)) == (ARN, SHARD, 2)
    assert delivery.payloads == [b"a", b"b"]
    assert delivery.sequences == [number(0), number(1)]
    assert delivery.partition_keys == ["TRUCK_000", "TRUCK_001"]
    assert delivery.arrivals == [1736951425.0, 1736951425.001]


@pytest.mark.parametrize("data", ["#", "QQ", "QQ=", "QQ===", "QQ==\n", "Q Q==", "QQ==QQ==", "-_-_", "é", 7, None, []])
def test_data_that_is_not_base64_is_one_records_fault(data):
    """The others are decoded all the same."""
    records = [record(b"a", 0), record(b"", 1), record(b"c", 2)]
    records[1]["kinesis"]["data"] = data
    assert read_event(records).payloads == [
        b"a",
        UnreadableData("not_base64", data, "the event's data must be base64"),
        b"c",
    ]


def test_a_record_without_data_is_its_own_fault():
    records = [record(b"a", 0)]
    del records[0]["kinesis"]["data"]
    assert read_event(records).payloads == [UnreadableData("not_base64", None, "the event's data must be base64")]


def test_sequence_numbers_are_put_into_the_order_of_integers():
    """Nine comes before ten, whatever strings say."""
    records = [record(b"%d" % n, n) for n in (10, 9, 100)]
    for each, sequence in zip(records, ("10", "9", "100"), strict=True):
        each["kinesis"]["sequenceNumber"] = sequence
    delivery = read_event(records)
    assert delivery.sequences == ["9", "10", "100"]
    assert delivery.payloads == [b"9", b"10", b"100"]


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
def test_an_event_of_another_source_is_refused(records, problem):
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
def test_an_envelope_that_the_service_never_writes_is_refused(field, value):
    records = [record(b"a", 0), record(b"b", 1)]
    records[1]["kinesis"][field] = value
    with pytest.raises(InvalidArgumentError):
        read_event(records)


@pytest.mark.parametrize("change", [{"eventID": f"shardId-000000000001:{number(1)}"}, {"eventSourceARN": "arn:other"}])
def test_records_of_two_shards_are_refused(change):
    with pytest.raises(InvalidArgumentError, match="one call takes the records of one shard"):
        read_event([record(b"a", 0), record(b"b", 1) | change])
