"""Buffers for large bodies are used again."""

from __future__ import annotations

import pytest

from truckstream.kinesis.http.body_buffers import SPARE_BYTES, BodyBuffers
from truckstream.kinesis.http.http1 import LARGE_BODY_BYTES, ResponseReader


@pytest.mark.parametrize("size", [1, 999, 1_000, 1_001, 50_000])
def test_a_buffer_that_was_given_back_is_taken_again_at_any_size(size):
    buffers = BodyBuffers()
    first = buffers.take(1_000)
    buffers.give_back(first)
    again = buffers.take(size)
    assert again is first
    assert len(again) == size
    assert buffers.take(size) is not first


def test_few_bytes_wait_for_their_next_use():
    buffers = BodyBuffers()
    given = [bytearray(SPARE_BYTES // 2) for _ in range(3)]
    for each in given:
        buffers.give_back(each)
    taken = [buffers.take(10) for _ in range(3)]
    assert [each is body for each, body in zip(taken, [given[1], given[0], given[2]], strict=True)] == [
        True,
        True,
        False,
    ]
    buffers.give_back(bytearray(SPARE_BYTES))
    assert len(buffers.take(10)) == 10


def test_bodies_that_came_in_no_buffer_are_ignored():
    buffers = BodyBuffers()
    buffers.give_back(b"a small body")
    assert buffers.take(3) == b"\0\0\0"


def test_nothing_of_an_earlier_body_is_left_in_the_next_one():
    buffers = BodyBuffers()
    for length, letter in ((40_000, b"a"), (30_000, b"b"), (50_000, b"c"), (LARGE_BODY_BYTES, b"d")):
        reader = ResponseReader(buffers=buffers)
        assert not reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + letter * 100)
        reader.room[: length - 100] = letter * (length - 100)
        assert reader.received(length - 100)
        body = reader.response().body
        assert body == letter * length
        buffers.give_back(body)
