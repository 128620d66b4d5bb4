"""Input is split into lines, in memory that the longest record bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.commands.stream.lines.line_splitter import Line, LineSplitter


def split(*chunks, max_bytes=10):
    splitter = LineSplitter(max_bytes)
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.finish()


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((), []),
        ((b"a\nb\n",), [b"a", b"b"]),
        ((b"a\nb",), [b"a", b"b"]),
        ((b"a\r\n", b"b\r", b"\nc\r"), [b"a", b"b", b"c"]),
        ((b"a\n\n\nb",), [b"a", b"", b"", b"b"]),
        ((b"a", b"b", b"c\nd"), [b"abc", b"d"]),
        ((b"\xff\x00\n",), [b"\xff\x00"]),
    ],
)
def test_a_line_ends_with_a_line_end_or_with_the_input(chunks, expected):
    assert [line.data for line in split(*chunks)] == expected


def test_lines_are_numbered_from_one_with_the_blank_ones():
    assert [line.number for line in split(b"a\n\nb\n", b"c")] == [1, 2, 3, 4]


def test_a_line_that_is_too_long_has_its_size_and_no_data_and_the_next_one_is_whole():
    assert split(b"12345678901\n1234567890\n", max_bytes=10) == [Line(1, None, 11), Line(2, b"1234567890", 10)]
    assert split(b"123456", b"789012", b"3\nabc", max_bytes=10) == [Line(1, None, 13), Line(2, b"abc", 3)]


def test_a_line_that_is_too_long_is_not_kept():
    splitter = LineSplitter(1000)
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000) == []
    assert sum(map(len, splitter._chunks)) <= 1000
    assert splitter.finish() == [Line(1, None, 1_000_000)]


@given(st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"\r", b""))))
def test_chunks_make_no_difference(chunks):
    whole = b"".join(chunks)
    assert split(*chunks, max_bytes=8) == split(whole, max_bytes=8)
    ends = whole.count(b"\n") + (not whole.endswith(b"\n") and whole != b"")
    assert len(split(*chunks, max_bytes=8)) == ends
