"""Parsing the messages of an event stream, which the local Kinesis encodes with code of its own."""

import contextlib
import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.fan_out.event_stream import MAX_MESSAGE_BYTES, EventStreamReader
from truckstream.kinesis.fan_out.subscription import page_of
from truckstream.local.protocol import event_stream

EVENT = event_stream.event("SubscribeToShardEvent", b'{"Records":[],"ContinuationSequenceNumber":"7"}', "json")
INITIAL = event_stream.event("initial-response", b"{}", "json")


def message(headers, payload=b""):
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    whole = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return whole + struct.pack(">I", crc32(whole))


@given(st.lists(st.tuples(st.text(min_size=1, max_size=9), st.binary(max_size=40)), max_size=4), st.data())
def test_messages_are_the_same_in_pieces_of_any_size(events, data):
    encoded = b"".join(event_stream.event(kind, payload, "json") for kind, payload in events)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(encoded)), max_size=6)))
    reader = EventStreamReader()
    found = [
        (message.headers[":event-type"], message.payload)
        for start, end in zip([0, *cuts], [*cuts, len(encoded)], strict=True)
        for message in reader.feed(encoded[start:end])
    ]
    reader.finish()
    assert found == events


def test_headers_that_are_no_strings_are_skipped():
    headers = (
        b"\x01a\x00\x01b\x01\x01c\x02\x07\x01d\x03\x00\x07\x01e\x04\x00\x00\x00\x07\x01f\x05" + bytes(8) + b"\x01g\x06"
        b"\x00\x02xx\x01h\x07\x00\x02hi\x01i\x08" + bytes(8) + b"\x01j\x09" + bytes(16)
    )
    buffer = EventStreamBuffer()
    buffer.add_data(message(headers, b"p"))
    [theirs] = list(buffer)
    assert set(theirs.headers) == set("abcdefghij")  # botocore's decoder understands the same bytes
    [found] = EventStreamReader().feed(message(headers, b"p"))
    assert found == ({"h": "hi"}, b"p")


@pytest.mark.parametrize("position", range(len(EVENT)))
def test_a_changed_byte_is_noticed(position):
    changed = bytearray(EVENT)
    changed[position] ^= 0x10
    with pytest.raises(RequestFailedError, match="MalformedResponse") as caught:
        list(EventStreamReader().feed(bytes(changed)))
    assert caught.value.kind is FailureKind.AMBIGUOUS


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        message(b"\x05a"),
        message(b"\x01a\x07\x00\x05x"),
        message(b"\x01a\x0bx"),
        message(b"\x01\xff\x00"),
        message(b"\x01a\x07\x00\x01\xff"),
        struct.pack(">III", 15, 0, crc32(struct.pack(">II", 15, 0))),
        struct.pack(">III", 100, 90, crc32(struct.pack(">II", 100, 90))),
        struct.pack(">III", MAX_MESSAGE_BYTES + 1, 0, crc32(struct.pack(">II", MAX_MESSAGE_BYTES + 1, 0))),
    ],
)
def test_bytes_that_are_no_message(data):
    with pytest.raises(RequestFailedError, match="MalformedResponse"):
        list(EventStreamReader().feed(data))


@given(st.binary(max_size=100))
def test_no_bytes_raise_another_error(data):
    with contextlib.suppress(RequestFailedError):
        [found] = EventStreamReader().feed(message(b"\x01" + data))
        assert found.payload == b""


def test_an_end_within_a_message():
    reader = EventStreamReader()
    assert len(list(reader.feed(EVENT + EVENT[:-1]))) == 1
    with pytest.raises(RequestFailedError, match="ends within a message, after 1"):
        reader.finish()


# --- The meaning of a message ----------------------------------------------------------------------


def pages_of(data):
    return [page_of(message, "shard") for message in EventStreamReader().feed(data)]


def test_an_event_is_a_page_and_the_initial_response_is_none():
    none, page = pages_of(INITIAL + EVENT)
    assert none is None
    assert (page.records, page.continuation) == ([], "7")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ResourceInUseException", FailureKind.THROTTLED),
        ("ResourceNotFoundException", FailureKind.PERMANENT),
        ("KMSDisabledException", FailureKind.PERMANENT),
        ("KMSThrottlingException", FailureKind.THROTTLED),
        ("InternalFailureException", FailureKind.AMBIGUOUS),
    ],
)
def test_an_exception_ends_the_subscription(code, kind):
    with pytest.raises(RequestFailedError) as caught:
        pages_of(event_stream.exception(code, b'{"message":"the reason"}', "json"))
    assert (caught.value.kind, caught.value.code, caught.value.message) == (kind, code, "the reason")


def test_an_error_without_a_shape():
    """The event stream format has errors with a code and a message only, such as InternalServerError."""
    name = b"\x0d:message-type\x07\x00\x05error\x0b:error-code\x07\x00\x04Oops"
    with pytest.raises(RequestFailedError) as caught:
        pages_of(message(name))
    assert (caught.value.kind, caught.value.code) == (FailureKind.AMBIGUOUS, "Oops")


def test_a_message_of_an_unknown_type():
    with pytest.raises(RequestFailedError, match="has the type None"):
        pages_of(message(b""))
