"""Responses from bytes in pieces of any size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.kinesis.http.http1 import MAX_HEAD_BYTES, MalformedResponseError, ResponseReader, header_lines

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
TRAILERS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\nExpires: never\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + LENGTH


@given(st.sampled_from([LENGTH, CHUNKS, TRAILERS, INTERIM]), st.data())
def test_a_response_is_the_same_in_pieces_of_any_size(response, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, len(response) - 1), max_size=6)))
    pieces = [response[start:end] for start, end in zip([0, *cuts], [*cuts, len(response)], strict=True)]
    reader = ResponseReader()
    *before, last = [reader.feed(piece) for piece in pieces]
    assert set(before) <= {None}
    assert (last.status, last.body) == (200, b"hello")
    assert reader.keeps_alive


def test_header_names_are_lower_case():
    assert ResponseReader().feed(LENGTH).headers == {"content-length": "5", "date": "now"}


def test_a_response_without_a_length_ends_with_its_connection():
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\nhel") is None
    assert reader.feed(b"lo") is None
    assert reader.feed_end().body == b"hello"
    assert not reader.keeps_alive


@pytest.mark.parametrize("response", [b"", LENGTH[:-1], CHUNKS[:-2], LENGTH[:20]])
def test_a_response_that_ends_too_early_is_incomplete(response):
    reader = ResponseReader()
    assert reader.feed(response) is None
    assert reader.feed_end() is None


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
    assert reader.feed(head + b"\r\nContent-Length: 0\r\n\r\n").body == b""
    assert reader.keeps_alive is kept


def test_a_response_with_status_204_has_no_body():
    assert ResponseReader().feed(b"HTTP/1.1 204 No Content\r\n\r\n").body == b""


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
        ResponseReader().feed(response)


@given(st.binary(max_size=200))
def test_no_bytes_raise_another_error(data):
    reader = ResponseReader()
    try:
        reader.feed(b"HTTP/1.1 200 OK\r\n" + data)
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
    assert reader.feed(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n") is None
    responses = [reader.feed(b"1000\r\n" + piece + b"\r\n" if chunked else piece) for _ in range(count)]
    response = reader.feed(b"0\r\n\r\n") if chunked else responses[-1]
    assert response.body == piece * count
    assert reader.body_bytes == len(piece) * count


@pytest.mark.parametrize("head", [b"Content-Length: 6", b"Transfer-Encoding: chunked", b"Connection: close"])
def test_a_body_over_the_limit_is_rejected(head):
    reader = ResponseReader(5)
    with pytest.raises(MalformedResponseError, match="over 5"):
        reader.feed(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n6\r\n123456\r\n0\r\n\r\n")


def test_a_chunk_may_be_cut_anywhere():
    reader = ResponseReader()
    responses = [reader.feed(CHUNKS[position : position + 1]) for position in range(len(CHUNKS))]
    assert responses[-1].body == b"hello"


def test_a_line_without_an_end_is_rejected():
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(MalformedResponseError, match="no end of a chunk's size"):
        reader.feed(b"0" * (MAX_HEAD_BYTES + 1))
