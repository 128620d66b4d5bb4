"""Malformed requests: each is answered with an error or closes its connection, and the next request succeeds."""

import asyncio
import gzip
import json

import cbor2
import pytest

from tests.local.raw_http import exchange, port_of, request
from truckstream.local import LocalKinesis

CBOR = "application/x-amz-cbor-1.1"


@pytest.fixture
async def port():
    async with LocalKinesis(stream="s", quotas=False) as kinesis:
        yield port_of(kinesis)


@pytest.fixture(autouse=True)
async def _next_request_succeeds(port):
    yield
    status, body = await exchange(port, request())
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
async def test_malformed_http_is_a_bad_request(port, sent):
    status, received = await exchange(port, sent)
    assert status.endswith(("400 Bad Request", "200 OK") if sent.endswith(b"more") else "400 Bad Request")
    assert received


@pytest.mark.parametrize("sent", [b"", b"POST / HT", request(length=20), b"PRI * HTTP/2.0\r\n"])
async def test_a_request_that_ends_early_closes_the_connection(port, sent):
    assert await exchange(port, sent, half_closed=True) == ("", b"")


async def test_a_client_that_ends_before_100_continue_is_tolerated(port):
    status, _ = await exchange(port, request(b"", length=2, Expect="100-continue"), half_closed=True)
    assert status in {"", "HTTP/1.1 100 Continue"}


async def test_a_length_over_the_limit_is_rejected_before_the_body_arrives(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(length=10**15))
    received = await asyncio.wait_for(reader.readuntil(b"}"), 10)  # the server still waits for the rest of the body
    writer.close()
    assert received.startswith(b"HTTP/1.1 413 Request Entity Too Large")
    assert b'"__type":"RequestEntityTooLarge"' in received


async def test_a_compressed_body_is_accepted_up_to_the_limit(port):
    status, received = await exchange(port, request(gzip.compress(b"{}"), Content_Encoding="gzip"))
    assert (status, json.loads(received)["StreamNames"]) == ("HTTP/1.1 200 OK", ["s"])
    status, received = await exchange(port, request(gzip.compress(b" " * 50_000_000, 1), Content_Encoding="gzip"))
    assert status == "HTTP/1.1 413 Request Entity Too Large"


async def test_a_body_that_is_not_gzip_as_declared_is_rejected(port):
    status, received = await exchange(port, request(b"abcd", Content_Encoding="gzip"))
    assert status == "HTTP/1.1 400 Bad Request"
    assert json.loads(received)["Message"] == "The body is not gzip, as Content-Encoding says."
    faults = {"path": "/_truckstream/faults", "content_type": "application/json"}
    status, received = await exchange(port, request(b"abcd", **faults, Content_Encoding="gzip"))
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
async def test_malformed_json_is_a_serialization_error(port, operation, body):
    status, received = await exchange(port, request(body, operation=operation))
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
async def test_malformed_cbor_is_a_serialization_error(port, body):
    status, received = await exchange(port, request(body, content_type=CBOR))
    assert (status, cbor2.loads(received)) == ("HTTP/1.1 400 Bad Request", {"__type": "SerializationException"})


async def test_pipelined_requests_are_answered_in_their_order(port):
    first = request(b'{"StreamName": "unknown"}', operation="DescribeStream", keep_alive=True)
    _, received = await exchange(port, first + request())
    assert received.index(b"ResourceNotFoundException") < received.index(b"StreamNames")
