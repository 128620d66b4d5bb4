"""Reading Lambda's events: those of a Kinesis shard are decoded, all others are rejected."""

import pytest

from tests.batcher.support import ARN, SHARD, number, record
from truckstream.batcher.grouping.boundaries import EVERY_INDEX
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


def boundaries(event):
    """Return the indices at which a group may begin."""
    return [at for at in range(len(event) + 1) if event.boundaries.at_or_after(at) == at]


def test_no_group_begins_between_records_with_the_same_number():
    """They are one place in the stream for Lambda. The last two are a pair at the end of the event."""
    places = [0, 1, 1, 1, 2, 3, 3]
    event = read_event([record(b"%d" % at, at, sequence=number(place)) for at, place in enumerate(places)])
    assert event.sequences == [number(place) for place in places]
    assert event.payloads == [b"%d" % at for at in range(7)]
    assert boundaries(event) == [0, 1, 4, 5, 7]


def test_repeated_numbers_are_found_in_any_order():
    """Records with one number stay in the order of the event. 07 and 7 are the same number."""
    sequences = ["9", "07", "10", "7", "9"]
    event = read_event([record(b"%d" % at, at, sequence=each) for at, each in enumerate(sequences)])
    assert event.sequences == ["07", "7", "9", "9", "10"]
    assert event.payloads == [b"1", b"3", b"0", b"4", b"2"]
    assert boundaries(event) == [0, 2, 4, 5]


@pytest.mark.parametrize("sequence", ["", "12a", "١٢", "-1", "1.0", "9" * 130, "9" * 5_000, "\ud800", 12, True, [], {}])
def test_a_sequence_number_that_is_none_concerns_its_record_only(sequence):
    """The record is rejected, and stays together with the record before it."""
    records = [record(b"a", 0), record(b"b", 1, sequence=sequence), record(b"c", 2)]
    event = read_event(records)
    assert event.sequences == [number(0), number(0), number(2)]
    assert boundaries(event) == [0, 2, 3]
    first, refused, last = event.payloads
    assert (first, last) == (b"a", b"c")
    assert (refused.code, refused.data) == ("no_sequence_number", b"b")
    assert refused.rule.endswith("must be 1 to 129 decimal digits")


def test_a_missing_sequence_number_concerns_its_record_only():
    """At the beginning of an event it gets a number that no record has: to fail it fails the whole event."""
    records = [record(b"a", 0), record(b"b", 1)]
    del records[0]["kinesis"]["sequenceNumber"]
    event = read_event(records)
    assert event.sequences == ["0", number(1)]
    assert boundaries(event) == [0, 1, 2]
    assert [type(each) for each in event.payloads] == [UnreadableData, bytes]


def test_an_event_may_have_no_sequence_number_at_all():
    event = read_event([record(b"a", 0, sequence="x"), record(b"b", 1, sequence="y")])
    assert boundaries(event) == [0, 2]
    assert {each.code for each in event.payloads} == {"no_sequence_number"}


def test_numbers_of_129_digits_in_order_have_a_boundary_at_every_index():
    event = read_event([record(b"a", 0, sequence="8" * 129), record(b"b", 1, sequence="9" * 129)])
    assert event.boundaries is EVERY_INDEX


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
        ("approximateArrivalTimestamp", -1.0),
        ("approximateArrivalTimestamp", 1e18),
        ("approximateArrivalTimestamp", float("nan")),
        ("approximateArrivalTimestamp", "now"),
    ],
)
def test_a_malformed_arrival_is_rejected(field, value):
    records = [record(b"a", 0), record(b"b", 1)]
    records[1]["kinesis"][field] = value
    with pytest.raises(InvalidArgumentError):
        read_event(records)


@pytest.mark.parametrize("change", [{"eventID": f"shardId-000000000001:{number(1)}"}, {"eventSourceARN": "arn:other"}])
def test_records_of_two_shards_are_rejected(change):
    with pytest.raises(InvalidArgumentError, match="one call takes the records of one shard"):
        read_event([record(b"a", 0), record(b"b", 1) | change])
