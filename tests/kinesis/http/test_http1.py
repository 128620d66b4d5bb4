"""Responses from bytes in pieces of any size."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.kinesis.http.http1 import (
    LARGE_BODY_BYTES,
    MAX_HEAD_BYTES,
    MalformedResponseError,
    ResponseReader,
    header_lines,
)

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
TRAILERS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\nExpires: never\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + LENGTH


def feed(reader, data):
    """Return the response if `data` completes it."""
    return reader.response() if reader.feed(data) else None


@given(st.sampled_from([LENGTH, CHUNKS, TRAILERS, INTERIM]), st.data())
def test_a_response_is_the_same_in_pieces_of_any_size(response, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, len(response) - 1), max_size=6)))
    pieces = [response[start:end] for start, end in zip([0, *cuts], [*cuts, len(response)], strict=True)]
    reader = ResponseReader()
    *before, last = [feed(reader, piece) for piece in pieces]
    assert set(before) <= {None}
    assert (last.status, last.body) == (200, b"hello")
    assert reader.keeps_alive


def test_header_names_are_lower_case():
    assert feed(ResponseReader(), LENGTH).headers == {"content-length": "5", "date": "now"}


def test_a_response_without_a_length_ends_with_its_connection():
    reader = ResponseReader()
    assert feed(reader, b"HTTP/1.1 200 OK\r\n\r\nhel") is None
    assert feed(reader, b"lo") is None
    assert reader.feed_end()
    assert reader.response().body == b"hello"
    assert not reader.keeps_alive


@pytest.mark.parametrize("response", [b"", LENGTH[:-1], CHUNKS[:-2], LENGTH[:20]])
def test_a_response_that_ends_too_early_is_incomplete(response):
    reader = ResponseReader()
    assert feed(reader, response) is None
    assert not reader.feed_end()


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close", False),
        (b"HTTP/1.1 200 OK\r\nConnection: foo, close", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive, foo", True),
        (b"HTTP/1.0 200 OK", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", True),
    ],
)
def test_a_connection_is_kept_as_its_headers_say(head, kept):
    reader = ResponseReader()
    assert feed(reader, head + b"\r\nContent-Length: 0\r\n\r\n").body == b""
    assert reader.keeps_alive is kept


def test_a_response_with_status_204_has_no_body():
    assert feed(ResponseReader(), b"HTTP/1.1 204 No Content\r\n\r\n").body == b""


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n" % (b"9" * 5_000),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        CHUNKS + b"!",
        TRAILERS + LENGTH,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n",
        b"x" * (MAX_HEAD_BYTES + 1),
    ],
    ids=lambda response: repr(response[-30:]),
)
def test_malformed_responses_are_rejected(response):
    with pytest.raises(MalformedResponseError):
        feed(ResponseReader(), response)


@given(st.binary(max_size=200))
def test_no_bytes_raise_another_error(data):
    reader = ResponseReader()
    try:
        feed(reader, b"HTTP/1.1 200 OK\r\n" + data)
        reader.feed_end()
    except MalformedResponseError:
        pass


def test_header_lines():
    assert header_lines({"Host": "a", "X": "é"}) == b"Host: a\r\nX: \xe9\r\n"


@pytest.mark.parametrize("value", ["a\r\nEvil: b", "a\nb", "a\rb", "\N{SNOWMAN}"])
def test_a_header_that_would_break_the_request_is_rejected(value):
    with pytest.raises(ValueError, match=r"line break|latin-1"):
        header_lines({"X": value})


# --- Large bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_in_small_pieces(chunked):
    """The work grows with the length alone: with its square, this test would copy 137 GB and meet its timeout."""
    piece, count = bytes(4_096), 8_192
    head = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % (len(piece) * count)
    reader = ResponseReader(len(piece) * count)
    assert feed(reader, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n") is None
    responses = [feed(reader, b"1000\r\n" + piece + b"\r\n" if chunked else piece) for _ in range(count)]
    response = feed(reader, b"0\r\n\r\n") if chunked else responses[-1]
    assert response.body == piece * count
    assert reader.body_bytes == len(piece) * count


@pytest.mark.parametrize("begun", [0, 1, 5_000])
@pytest.mark.parametrize("size", [100, 7_001, 3 * LARGE_BODY_BYTES])
@pytest.mark.parametrize("length", [LARGE_BODY_BYTES, 3 * LARGE_BODY_BYTES - 1])
def test_a_large_body_can_be_put_into_its_place(length, size, begun):
    body = random.Random(length).randbytes(length)
    reader = ResponseReader()
    assert reader.room is None
    assert not reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + body[:begun])
    while begun < length:
        piece = body[begun : begun + size]
        reader.room[: len(piece)] = piece
        begun += len(piece)
        assert reader.received(len(piece)) is (begun == length)
        assert reader.body_bytes == begun
    assert reader.keeps_alive
    assert reader.response().body == body


def large_response(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE_BODY_BYTES + body


@pytest.mark.parametrize("begun", [0, 1, LARGE_BODY_BYTES])
@pytest.mark.parametrize("is_put", [False, True])
def test_bytes_after_a_large_body_are_rejected(begun, is_put):
    reader = ResponseReader()
    reader.feed(large_response(bytes(begun)))
    rest = bytes(LARGE_BODY_BYTES - begun + 1)
    with pytest.raises(MalformedResponseError, match="follow the response"):  # noqa: PT012 - the room is part of it
        if is_put:
            reader.room[:] = rest
            reader.received(len(rest))
        else:
            reader.feed(rest + b"more")


def test_a_large_body_that_ends_too_early_is_incomplete():
    reader = ResponseReader()
    assert not reader.feed(large_response(b"begun"))
    assert not reader.feed_end()


@pytest.mark.parametrize("head", [b"Content-Length: 6", b"Transfer-Encoding: chunked", b"Connection: close"])
def test_a_body_over_the_limit_is_rejected(head):
    reader = ResponseReader(5)
    with pytest.raises(MalformedResponseError, match="over 5"):
        feed(reader, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n6\r\n123456\r\n0\r\n\r\n")


def test_a_chunk_may_be_cut_anywhere():
    reader = ResponseReader()
    responses = [feed(reader, CHUNKS[position : position + 1]) for position in range(len(CHUNKS))]
    assert responses[-1].body == b"hello"


def test_a_line_without_an_end_is_rejected():
    reader = ResponseReader()
    feed(reader, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(MalformedResponseError, match="no end of a chunk's size"):
        feed(reader, b"0" * (MAX_HEAD_BYTES + 1))
