"""The requests that read, and their short responses."""

import pytest

from truckstream.kinesis.failures import RequestFailedError
from truckstream.kinesis.reading.position import Position
from truckstream.kinesis.reading.requests import (
    ConsumerDescription,
    iterator_request,
    parse_consumer_description,
    parse_iterator,
    parse_registered_consumer,
    starting_position,
)


@pytest.mark.parametrize(
    ("position", "members", "start"),
    [
        (Position("LATEST"), {"ShardIteratorType": "LATEST"}, {"Type": "LATEST"}),
        (
            Position("AFTER_SEQUENCE_NUMBER", sequence_number="49"),
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "49"},
            {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "49"},
        ),
        (
            Position("AT_TIMESTAMP", timestamp=0.0),
            {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 0.0},
            {"Type": "AT_TIMESTAMP", "Timestamp": 0.0},
        ),
    ],
)
def test_a_position(position, members, start):
    expected = {"StreamName": "trucks", "ShardId": "shard", **members}
    assert iterator_request({"StreamName": "trucks"}, "shard", position) == expected
    assert starting_position(position) == start


def test_short_responses():
    consumer = b'{"ConsumerName":"r","ConsumerARN":"arn","ConsumerStatus":"CREATING","ConsumerCreationTimestamp":1.5}'
    assert parse_iterator(b'{"ShardIterator":"AAA="}') == "AAA="
    assert parse_registered_consumer(b'{"Consumer":%b}' % consumer) == ConsumerDescription("arn", "CREATING")
    assert parse_consumer_description(b'{"ConsumerDescription":%b}' % consumer) == ConsumerDescription(
        "arn", "CREATING"
    )


@pytest.mark.parametrize("parse", [parse_iterator, parse_registered_consumer, parse_consumer_description])
@pytest.mark.parametrize("body", [b"", b"{}", b'{"ShardIterator":null}', b'{"Consumer":{}}', b"\xff"])
def test_a_malformed_response(parse, body):
    with pytest.raises(RequestFailedError, match="MalformedResponse"):
        parse(body)
