"""CBOR beside JSON, and event streams, from bytes to bytes."""

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
    """A time of the API: tag 1 with milliseconds."""


def loads(body):
    return cbor2.loads(body, semantic_decoders={1: lambda value, _: Millis(value)})


def post(api, at, operation, body, content_type=CBOR):
    return respond(
        api.service, target=f"Kinesis_20131202.{operation}", content_type=content_type, body=body, now=T0 + at
    )


def call(api, at, operation, **members):
    """An answer in CBOR."""
    answer = post(api, at, operation, cbor2.dumps(members))
    assert (answer.status, answer.content_type) == (200, CBOR), loads(answer.body)
    return loads(answer.body) if answer.body else None


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
def test_a_request_gives_its_times_in_milliseconds(tagged):
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


def test_jacksons_indefinite_maps_lists_and_texts_are_read():
    """As the Java SDK sends them: BF ... FF."""
    entry = b"\xbf" + b"".join(map(cbor2.dumps, ["Data", b"x", "PartitionKey", "k"])) + b"\xff"
    records = cbor2.dumps("Records") + b"\x9f" + entry + entry + b"\xff"
    name = cbor2.dumps("StreamName") + b"\x7f" + cbor2.dumps("s") + b"\xff"
    answer = post(Api(), 0, "PutRecords", b"\xbf" + name + records + b"\xff")
    assert loads(answer.body)["FailedRecordCount"] == 0


def test_an_error_comes_in_the_encoding_of_its_request():
    api = Api()
    refused = post(api, 0, "DescribeStream", cbor2.dumps({"StreamName": "nobody"}))
    assert (refused.status, refused.content_type) == (400, CBOR)
    text = "Stream nobody under account 000000000000 not found."
    assert loads(refused.body) == {"__type": "ResourceNotFoundException", "message": text}
    same = post(api, 0, "DescribeStream", b'{"StreamName": "nobody"}', JSON)
    assert (same.content_type, msgspec.json.decode(same.body)) == (JSON, loads(refused.body))


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
def test_what_cannot_be_read_is_a_serialization_exception(body):
    refused = post(Api(), 0, "PutRecords", body)
    assert (refused.status, loads(refused.body)["__type"]) == (400, "SerializationException")


def test_a_broken_constraint_has_the_same_words_in_both():
    members = {"StreamName": "s", "Records": [{"PartitionKey": ""}]}
    in_cbor = post(Api(), 0, "PutRecords", cbor2.dumps(members))
    in_json = post(Api(), 0, "PutRecords", msgspec.json.encode(members), JSON)
    assert loads(in_cbor.body) == msgspec.json.decode(in_json.body)
    assert loads(in_cbor.body)["message"].startswith("2 validation errors detected")


@QUICK
@given(st.binary(max_size=200))
def test_no_bytes_make_it_stumble(body):
    for operation in ("PutRecords", "GetShardIterator", "CreateStream"):
        assert post(Api(), 0, operation, body).status in {200, 400}


def test_an_unknown_encoding_is_an_unknown_operation_in_json():
    for content_type in ("text/plain", "application/json"):
        refused = post(Api(), 0, "ListStreams", b"{}", content_type)
        assert (refused.status, refused.content_type) == (404, JSON)
        assert msgspec.json.decode(refused.body) == {"__type": "UnknownOperationException"}


def test_nothing_at_all_is_answered_in_cbor_unless_it_is_called_json():
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
    answer = post(api, 0, "SubscribeToShard", encode(members), content_type)
    assert answer.content_type == "application/vnd.amazon.eventstream"
    buffer = EventStreamBuffer()
    for _ in range(2):
        buffer.add_data(answer.events.next_message(T0))
    api(1, "DeregisterStreamConsumer", ConsumerARN=arn)
    buffer.add_data(answer.events.next_message(T0 + 1))
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
    assert answer.events.is_over
    assert answer.events.next_message(T0 + 2) == b""


@QUICK
@given(st.binary(max_size=5_000), st.text(min_size=1, max_size=60))
def test_a_message_is_read_as_it_was_written(payload, kind):
    """Botocore checks the lengths and both checksums."""
    buffer = EventStreamBuffer()
    buffer.add_data(eventstream.event(kind, payload, JSON) + eventstream.exception(kind, payload, JSON))
    event, exception = buffer
    assert (event.headers[":event-type"], event.payload) == (kind, payload)
    assert (exception.headers[":exception-type"], exception.payload) == (kind, payload)
