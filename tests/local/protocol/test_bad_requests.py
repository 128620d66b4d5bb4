"""Malformed requests: each is answered with an error or closes its connection, and the next request succeeds."""

import asyncio
import gzip
import json

import cbor2
import pytest

from truckstream.local import LocalKinesis

JSON, CBOR = "application/x-amz-json-1.1", "application/x-amz-cbor-1.1"


@pytest.fixture
async def kinesis():
    async with LocalKinesis(stream="s", quotas=False) as local:
        yield local


def request(body=b"{}", *, operation="ListStreams", content_type=JSON, length=None, **headers):
    """Return the bytes of a request; `Content_Encoding="gzip"` adds a header."""
    lines = [
        "POST / HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        f"X-Amz-Target: Kinesis_20131202.{operation}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body) if length is None else length}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def exchange(kinesis, sent, *, half_closed=False):
    """Send bytes, and return the status line and the body of the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(kinesis.endpoint_url.rpartition(":")[2]))
    try:
        writer.write(sent)
        if half_closed:
            writer.write_eof()
        head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return head.partition(b"\r\n")[0].decode(), body


@pytest.fixture(autouse=True)
async def _next_request_succeeds(kinesis):
    yield
    status, body = await exchange(kinesis, request())
    assert (status, json.loads(body)["StreamNames"]) == ("HTTP/1.1 200 OK", ["s"])


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\xff" * 100,
        b"HELLO\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
        b"POST / HTTP/3.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        request(length="many"),
        request(length=-5),
        request(Transfer_Encoding="chunked"),
        request() + b"and more",
    ],
    ids=["bytes", "words", "TLS", "version", "header", "path", "length", "negative", "two lengths", "trailing"],
)
async def test_malformed_http_is_a_bad_request(kinesis, sent):
    status, received = await exchange(kinesis, sent)
    assert status.endswith(("400 Bad Request", "200 OK") if sent.endswith(b"more") else "400 Bad Request")
    assert received


@pytest.mark.parametrize("sent", [b"", b"POST / HT", request(length=20), b"PRI * HTTP/2.0\r\n"])
async def test_a_request_that_ends_early_closes_the_connection(kinesis, sent):
    assert await exchange(kinesis, sent, half_closed=True) == ("", b"")


async def test_a_client_that_ends_before_100_continue_is_tolerated(kinesis):
    status, _ = await exchange(kinesis, request(b"", length=2, Expect="100-continue"), half_closed=True)
    assert status in {"", "HTTP/1.1 100 Continue"}


async def test_a_length_over_the_limit_is_rejected_before_the_body_arrives(kinesis):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(kinesis.endpoint_url.rpartition(":")[2]))
    writer.write(request(length=10**15))
    received = await asyncio.wait_for(reader.readuntil(b"}"), 10)  # the server still waits for the rest of the body
    writer.close()
    assert received.startswith(b"HTTP/1.1 413 Request Entity Too Large")
    assert b'"__type":"RequestEntityTooLarge"' in received


async def test_a_compressed_body_is_accepted_up_to_the_limit(kinesis):
    status, received = await exchange(kinesis, request(gzip.compress(b"{}"), Content_Encoding="gzip"))
    assert (status, json.loads(received)["StreamNames"]) == ("HTTP/1.1 200 OK", ["s"])
    status, received = await exchange(kinesis, request(gzip.compress(b" " * 50_000_000, 1), Content_Encoding="gzip"))
    assert status == "HTTP/1.1 413 Request Entity Too Large"


async def test_a_body_that_is_not_gzip_as_declared_is_rejected(kinesis):
    status, received = await exchange(kinesis, request(b"abcd", Content_Encoding="gzip"))
    assert status == "HTTP/1.1 400 Bad Request"
    assert json.loads(received)["Message"] == "The body is not gzip, as Content-Encoding says."
    faults = request(b"abcd", content_type="application/json", Content_Encoding="gzip")
    status, received = await exchange(kinesis, faults.replace(b"POST / ", b"POST /_truckstream/faults "))
    assert status == "HTTP/1.1 400 Bad Request"
    assert json.loads(received)["message"] == "The body is not gzip, as Content-Encoding says."


@pytest.mark.parametrize("operation", ["AddTagsToStream", "PutRecords", "Levitate"])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"Tags":' * 50_000,
        b'{"Records":' * 50_000,
        b"{}\x00",
        b'"\\ud800"',
        b'{"Limit":' + b"9" * 5_000,
    ],
    ids=["lists", "maps", "records", "zero", "surrogate", "digits"],
)
async def test_malformed_json_is_a_serialization_error(kinesis, operation, body):
    status, received = await exchange(kinesis, request(body, operation=operation))
    assert (status, json.loads(received)) == ("HTTP/1.1 400 Bad Request", {"__type": "SerializationException"})


@pytest.mark.parametrize(
    "body",
    [
        b"\xa1",
        b"\x81" * 200_000,
        b"\xc1" * 100_000 + b"\x01",
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xf7",
        cbor2.dumps({"Limit": cbor2.CBORTag(30, [1, 0])}),
    ],
    ids=["cut", "lists", "tags", "bytes", "items", "undefined", "fraction"],
)
async def test_malformed_cbor_is_a_serialization_error(kinesis, body):
    status, received = await exchange(kinesis, request(body, content_type=CBOR))
    assert (status, cbor2.loads(received)) == ("HTTP/1.1 400 Bad Request", {"__type": "SerializationException"})


async def test_pipelined_requests_are_answered_in_their_order(kinesis):
    first = request(b'{"StreamName": "unknown"}', operation="DescribeStream").replace(b"Connection: close\r\n", b"")
    _, received = await exchange(kinesis, first + request())
    assert received.index(b"ResourceNotFoundException") < received.index(b"StreamNames")
