"""Requests and responses in CBOR and JSON, and event streams, as bytes."""

import cbor2
import msgspec
import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local.support import ARN, T0, Api
from truckstream.local.protocol import event_stream as eventstream
from truckstream.local.protocol.api_call import respond

QUICK = settings(max_examples=60)
CBOR = "application/x-amz-cbor-1.1"
JSON = "application/x-amz-json-1.1"
SHARD = "shardId-000000000000"


class Millis(int):
    """A time in CBOR: tag 1 with milliseconds."""


def loads(body):
    return cbor2.loads(body, semantic_decoders={1: lambda value, _: Millis(value)})


def post(api, at, operation, body, content_type=CBOR):
    return respond(
        api.service, target=f"Kinesis_20131202.{operation}", content_type=content_type, body=body, now=T0 + at
    )


def call(api, at, operation, **members):
    """Make a call in CBOR, and return its result."""
    response = post(api, at, operation, cbor2.dumps(members))
    assert (response.status, response.content_type) == (200, CBOR), loads(response.body)
    return loads(response.body) if response.body else None


def test_blobs_are_bytes_and_times_are_milliseconds():
    api = Api()
    entries = [{"Data": b"\x00\xff", "PartitionKey": "k"}, {"Data": b"", "PartitionKey": "l", "ExplicitHashKey": "0"}]
    assert call(api, 1.5, "PutRecords", StreamName="s", Records=entries)["FailedRecordCount"] == 0
    assert call(api, 1.5, "PutRecord", StreamName="s", Data=b"one", PartitionKey="k")["ShardId"] == SHARD
    page = call(api, 2, "GetRecords", ShardIterator=api.iterator(1.5))
    assert [record["Data"] for record in page["Records"]] == [b"\x00\xff", b"", b"one"]
    arrival = page["Records"][0]["ApproximateArrivalTimestamp"]
    assert (type(arrival), arrival) == (Millis, T0 * 1000 + 1500)
    summary = call(api, 2, "DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
    assert summary["StreamCreationTimestamp"] == Millis(T0 * 1000)
    assert type(page["MillisBehindLatest"]) is int


@pytest.mark.parametrize("tagged", [True, False], ids=["tag 1", "a number"])
def test_times_in_a_request_are_milliseconds(tagged):
    api = Api()
    api.put(0)
    api.put(10)
    moment = int((T0 + 5) * 1000)
    iterator = call(
        *(api, 20, "GetShardIterator"),
        StreamName="s",
        ShardId=SHARD,
        ShardIteratorType="AT_TIMESTAMP",
        Timestamp=cbor2.CBORTag(1, moment) if tagged else moment,
    )
    assert len(api(20, "GetRecords", **iterator)["Records"]) == 1
    listed = call(api, 20, "ListShards", StreamName="s", StreamCreationTimestamp=cbor2.CBORTag(1, int(T0 * 1000)))
    assert len(listed["Shards"]) == 1


def test_maps_lists_and_texts_of_indefinite_length_are_read():
    """The Java SDK uses Jackson, which writes them as BF ... FF."""
    entry = b"\xbf" + b"".join(map(cbor2.dumps, ["Data", b"x", "PartitionKey", "k"])) + b"\xff"
    records = cbor2.dumps("Records") + b"\x9f" + entry + entry + b"\xff"
    name = cbor2.dumps("StreamName") + b"\x7f" + cbor2.dumps("s") + b"\xff"
    response = post(Api(), 0, "PutRecords", b"\xbf" + name + records + b"\xff")
    assert loads(response.body)["FailedRecordCount"] == 0


def test_an_error_has_the_encoding_of_its_request():
    api = Api()
    response = post(api, 0, "DescribeStream", cbor2.dumps({"StreamName": "unknown"}))
    assert (response.status, response.content_type) == (400, CBOR)
    text = "Stream unknown under account 000000000000 not found."
    assert loads(response.body) == {"__type": "ResourceNotFoundException", "message": text}
    same = post(api, 0, "DescribeStream", b'{"StreamName": "unknown"}', JSON)
    assert (same.content_type, msgspec.json.decode(same.body)) == (JSON, loads(response.body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"{}",
        cbor2.dumps("text"),
        cbor2.dumps({"StreamName": 1, "Records": []}),
        cbor2.dumps({"StreamName": "s", "Records": [{"Data": 5, "PartitionKey": "k"}]}),
        cbor2.dumps({"StreamName": "s", "Records": {}}),
        cbor2.dumps({1: 2, "StreamName": "s", "Records": 5}),
        b"\xc1\x61x",
    ],
    ids=repr,
)
def test_an_unreadable_body_is_a_serialization_error(body):
    response = post(Api(), 0, "PutRecords", body)
    assert (response.status, loads(response.body)["__type"]) == (400, "SerializationException")


def test_a_violated_constraint_has_the_same_message_in_both_encodings():
    members = {"StreamName": "s", "Records": [{"PartitionKey": ""}]}
    in_cbor = post(Api(), 0, "PutRecords", cbor2.dumps(members))
    in_json = post(Api(), 0, "PutRecords", msgspec.json.encode(members), JSON)
    assert loads(in_cbor.body) == msgspec.json.decode(in_json.body)
    assert loads(in_cbor.body)["message"].startswith("2 validation errors detected")


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes_are_answered_with_200_or_400(body):
    for operation in ("PutRecords", "GetShardIterator", "CreateStream"):
        assert post(Api(), 0, operation, body).status in {200, 400}


def test_an_unknown_encoding_is_an_unknown_operation_in_json():
    for content_type in ("text/plain", "application/json"):
        response = post(Api(), 0, "ListStreams", b"{}", content_type)
        assert (response.status, response.content_type) == (404, JSON)
        assert msgspec.json.decode(response.body) == {"__type": "UnknownOperationException"}


def test_an_empty_body_is_answered_in_cbor_unless_its_type_is_json():
    for content_type, read in ((JSON, msgspec.json.decode), ("text/plain", loads), ("application/json", loads)):
        assert read(post(Api(), 0, "ListStreams", b"", content_type).body) == {"__type": "SerializationException"}
        assert read(post(Api(), 0, "Levitate", b"", content_type).body) == {"__type": "UnknownOperationException"}


# --- Event streams --------------------------------------------------------------------------------


@pytest.mark.parametrize(("content_type", "decode"), [(JSON, msgspec.json.decode), (CBOR, loads)], ids=["json", "cbor"])
def test_a_subscription_is_an_event_stream_in_the_requests_encoding(content_type, decode):
    api = Api()
    api.put(0, 1)
    arn = api(0, "RegisterStreamConsumer", StreamARN=ARN, ConsumerName="reader")["Consumer"]["ConsumerARN"]
    members = {"ConsumerARN": arn, "ShardId": SHARD, "StartingPosition": {"Type": "TRIM_HORIZON"}}
    encode = cbor2.dumps if content_type == CBOR else msgspec.json.encode
    response = post(api, 0, "SubscribeToShard", encode(members), content_type)
    assert response.content_type == "application/vnd.amazon.eventstream"
    buffer = EventStreamBuffer()
    for _ in range(2):
        buffer.add_data(response.events.next_message(T0))
    api(1, "DeregisterStreamConsumer", ConsumerARN=arn)
    buffer.add_data(response.events.next_message(T0 + 1))
    first, second, third = buffer
    assert (first.headers[":event-type"], decode(first.payload)) == ("initial-response", {})
    assert second.headers == {
        ":message-type": "event",
        ":event-type": "SubscribeToShardEvent",
        ":content-type": content_type,
    }
    assert len(decode(second.payload)["Records"]) == 1
    assert (third.headers[":message-type"], third.headers[":exception-type"]) == (
        "exception",
        "ResourceNotFoundException",
    )
    assert "not found" in decode(third.payload)["message"]
    assert response.events.is_over
    assert response.events.next_message(T0 + 2) == b""


@QUICK
@given(st.binary(max_size=5_000), st.text(min_size=1, max_size=60))
def test_botocore_reads_the_messages_of_an_event_stream(payload, kind):
    """Botocore checks the lengths and both checksums."""
    buffer = EventStreamBuffer()
    buffer.add_data(eventstream.event(kind, payload, JSON) + eventstream.exception(kind, payload, JSON))
    event, exception = buffer
    assert (event.headers[":event-type"], event.payload) == (kind, payload)
    assert (exception.headers[":exception-type"], exception.payload) == (kind, payload)
