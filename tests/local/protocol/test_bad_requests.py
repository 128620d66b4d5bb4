"""Requests that no client should send: each gets its answer, and the next client is served as before."""

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
    """The bytes of a request; `Content_Encoding="gzip"` is a header more."""
    lines = [
        "POST / HTTP/1.1",
        "Host: here",
        "Connection: close",
        f"X-Amz-Target: Kinesis_20131202.{operation}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body) if length is None else length}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def answer(kinesis, sent, *, half_closed=False):
    """The status line and the body that come back."""
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
async def _serves_on(kinesis):
    yield
    status, body = await answer(kinesis, request())
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
async def test_what_is_no_request_is_a_bad_one(kinesis, sent):
    status, said = await answer(kinesis, sent)
    assert status.endswith(("400 Bad Request", "200 OK") if sent.endswith(b"more") else "400 Bad Request")
    assert said


@pytest.mark.parametrize("sent", [b"", b"POST / HT", request(length=20), b"PRI * HTTP/2.0\r\n"])
async def test_a_client_that_goes_in_the_middle_is_let_go(kinesis, sent):
    assert await answer(kinesis, sent, half_closed=True) == ("", b"")


async def test_a_client_that_goes_before_it_is_asked_for_the_body_is_let_go(kinesis):
    status, _ = await answer(kinesis, request(b"", length=2, Expect="100-continue"), half_closed=True)
    assert status in {"", "HTTP/1.1 100 Continue"}


async def test_a_length_over_the_limit_is_refused_before_the_body_comes(kinesis):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(kinesis.endpoint_url.rpartition(":")[2]))
    writer.write(request(length=10**15))
    said = await asyncio.wait_for(reader.readuntil(b"}"), 10)  # it lingers for the rest of the body
    writer.close()
    assert said.startswith(b"HTTP/1.1 413 Request Entity Too Large")
    assert b'"__type":"RequestEntityTooLarge"' in said


async def test_a_body_may_be_compressed_but_not_over_the_limit(kinesis):
    status, said = await answer(kinesis, request(gzip.compress(b"{}"), Content_Encoding="gzip"))
    assert (status, json.loads(said)["StreamNames"]) == ("HTTP/1.1 200 OK", ["s"])
    status, said = await answer(kinesis, request(gzip.compress(b" " * 50_000_000, 1), Content_Encoding="gzip"))
    assert status == "HTTP/1.1 413 Request Entity Too Large"


async def test_a_body_that_is_not_compressed_as_it_says_is_told_so(kinesis):
    status, said = await answer(kinesis, request(b"abcd", Content_Encoding="gzip"))
    assert status == "HTTP/1.1 400 Bad Request"
    assert json.loads(said)["Message"] == "The body is not gzip, as Content-Encoding says."


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
async def test_json_that_cannot_be_read_is_told_so(kinesis, operation, body):
    status, said = await answer(kinesis, request(body, operation=operation))
    assert (status, json.loads(said)) == ("HTTP/1.1 400 Bad Request", {"__type": "SerializationException"})


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
async def test_cbor_that_cannot_be_read_is_told_so(kinesis, body):
    status, said = await answer(kinesis, request(body, content_type=CBOR))
    assert (status, cbor2.loads(said)) == ("HTTP/1.1 400 Bad Request", {"__type": "SerializationException"})


async def test_requests_that_do_not_wait_for_answers_are_answered_in_their_order(kinesis):
    first = request(b'{"StreamName": "nobody"}', operation="DescribeStream").replace(b"Connection: close\r\n", b"")
    _, said = await answer(kinesis, first + request())
    assert said.index(b"ResourceNotFoundException") < said.index(b"StreamNames")
