"""Parsing the service's responses, malformed ones included."""

import pytest

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.responses import (
    RecordResponse,
    StreamSummary,
    parse_error,
    parse_put_records,
    parse_shards,
    parse_summary,
)
from truckstream.kinesis.shard_map import Shard

STORED = b'{"SequenceNumber":"49","ShardId":"shardId-000000000000"}'
FAILED = b'{"ErrorCode":"InternalFailure","ErrorMessage":"Internal Service Failure"}'


def test_responses_are_in_the_order_of_the_records():
    body = b'{"EncryptionType":"KMS","FailedRecordCount":1,"Records":[%b,%b]}' % (STORED, FAILED)
    assert parse_put_records(body, 2) == [
        RecordResponse(shard_id="shardId-000000000000", sequence_number="49"),
        RecordResponse(error_code="InternalFailure", error_message="Internal Service Failure"),
    ]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"Records":[%b]}' % STORED, "1 responses for 2 records"),
        (b'{"Records":[%b,{}]}' % STORED, "record 1 has neither a sequence number nor an error code"),
        (b'{"Records":[%b,{"SequenceNumber":"","ErrorCode":""}]}' % STORED, "record 1 has neither"),
        (b'{"Records":[%b' % STORED, "truncated"),
        (b'{"Records":[{"SequenceNumber":49},%b]}' % STORED, "Expected `str \\| null`, got `int`"),
        (b"<html>Welcome", "JSON is malformed.*, in '<html>Welcome'"),
        (b"[]", "Expected `object`, got `array`"),
        (b"", "truncated"),
        (b'{"message":"\xff"}', "missing required field `Records`"),
        (b'{"Records":[{"SequenceNumber":"\xff"}]}', "can't decode byte 0xff"),
        (b'{"x":' + b"[" * 100_000, "recursion"),
    ],
)
def test_a_response_that_cannot_be_parsed_is_ambiguous(body, text):
    with pytest.raises(RequestFailedError, match=f"MalformedResponse: .*{text}") as caught:
        parse_put_records(body, 2)
    assert caught.value.kind is FailureKind.AMBIGUOUS


SHARD = (
    b'{"ShardId":"shardId-000000000001","HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"340"},'
    b'"SequenceNumberRange":{"StartingSequenceNumber":"1"%b}}'
)


def test_a_page_of_shards():
    """A shard with an ending sequence number is closed."""
    body = b'{"NextToken":"more","Shards":[%b,%b]}' % (SHARD % b"", SHARD % b',"EndingSequenceNumber":"2"')
    assert parse_shards(body) == (
        [Shard("shardId-000000000001", 0, 340), Shard("shardId-000000000001", 0, 340, is_open=False)],
        "more",
    )
    assert parse_shards(b'{"Shards":[]}') == ([], None)


@pytest.mark.parametrize(
    ("members", "parents"),
    [
        ("", ()),
        (',"ParentShardId":"shardId-0"', ("shardId-0",)),
        (',"ParentShardId":"shardId-0","AdjacentParentShardId":"shardId-2"', ("shardId-0", "shardId-2")),
        (',"ParentShardId":null,"AdjacentParentShardId":null', ()),
    ],
)
def test_a_shard_names_its_parents(members, parents):
    """A split has one parent, a merge two."""
    body = b'{"Shards":[%b]}' % (SHARD % b"").replace(b"}}", b"}" + members.encode() + b"}")
    assert [shard.parent_ids for shard in parse_shards(body)[0]] == [parents]


def test_a_summary_states_the_largest_record_and_the_mode():
    assert parse_summary(b'{"StreamDescriptionSummary":{"MaxRecordSizeInKiB":2048}}').max_record_bytes == 2 << 20
    assert parse_summary(b'{"StreamDescriptionSummary":{"StreamName":"s"}}') == StreamSummary()
    on_demand = b'{"StreamDescriptionSummary":{"StreamModeDetails":{"StreamMode":"ON_DEMAND"}}}'
    assert parse_summary(on_demand) == StreamSummary(on_demand=True)
    assert parse_summary(b'{"StreamDescriptionSummary":{"StreamARN":"arn"}}').arn == "arn"


@pytest.mark.parametrize("parse", [parse_shards, parse_summary])
@pytest.mark.parametrize(
    "body", [b"1", b"{}", b'{"Shards":[{}]}', b'{"Shards":[%b]}' % (SHARD % b"").replace(b"340", b"x")]
)
def test_a_page_that_cannot_be_parsed_is_ambiguous(parse, body):
    with pytest.raises(RequestFailedError, match="MalformedResponse"):
        parse(body)


@pytest.mark.parametrize(
    ("status", "header", "body", "code", "message", "kind"),
    [
        (
            400,
            None,
            b'{"__type":"com.amazonaws.kinesis.v20131202#ResourceNotFoundException","message":"Stream x"}',
            "ResourceNotFoundException",
            "Stream x",
            FailureKind.PERMANENT,
        ),
        (
            400,
            "ValidationException:http://internal.amazon.com/coral/com.amazon.coral.validate/",
            b'{"Message":"1 validation error"}',
            "ValidationException",
            "1 validation error",
            FailureKind.POISONED,
        ),
        (500, None, b'{"__type":"InternalFailure"}', "InternalFailure", "HTTP status 500", FailureKind.AMBIGUOUS),
        (502, None, b"<html>Bad SessionEndpoint", "502", "'<html>Bad SessionEndpoint'", FailureKind.AMBIGUOUS),
        (413, None, b"", "413", "HTTP status 413", FailureKind.POISONED),
        (429, None, b"", "429", "HTTP status 429", FailureKind.THROTTLED),
        (307, None, b"", "307", "HTTP status 307", FailureKind.PERMANENT),
        (503, None, b"x" * 200, "503", repr("x" * 100) + "…", FailureKind.AMBIGUOUS),
        (
            503,
            None,
            b'{"message":"\xff"}',
            "503",
            repr('{"message":"\N{REPLACEMENT CHARACTER}"}'),
            FailureKind.AMBIGUOUS,
        ),
    ],
)
def test_an_error_is_parsed_from_its_response(status, header, body, code, message, kind):
    failure = parse_error(status, header, body)
    assert (failure.code, failure.message, failure.kind) == (code, message, kind)
