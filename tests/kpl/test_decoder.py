"""The decoder: bytes that are not an aggregate, broken messages, and every form that protobuf allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kpl.support import aggregate_of, records, sealed
from truckstream.errors import BrokenAggregateError
from truckstream.kpl import MAGIC, REASONS, UserRecord, decode, is_aggregate


def reason_of(data):
    with pytest.raises(BrokenAggregateError) as caught:
        decode(data)
    assert caught.value.reason in REASONS
    return caught.value.reason


@given(st.binary(max_size=100) | st.binary(max_size=100).map(lambda data: MAGIC + data))
def test_bytes_that_are_not_an_aggregate_are_recognised(data):
    assert not is_aggregate(data)
    with pytest.raises(BrokenAggregateError) as caught:
        decode(data)
    assert not caught.value.is_aggregate
    assert caught.value.reason == ("wrong_md5" if data.startswith(MAGIC) and len(data) > 20 else "no_magic")


KEY = b"\x0a\x01k"
GOOD = b"\x1a\x05\x08\x00\x1a\x01x"
TEN = b"\xff" * 9 + b"\x01"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (KEY, "no_records"),
        (b"\x0a\x05k", "truncated"),
        (KEY + b"\x1a", "truncated"),
        (KEY + b"\x1a\x05\x08\x00\x1a\x02x", "truncated"),
        (KEY + b"\x1a\x03\x08\x00\x1a" + GOOD, "truncated"),
        (KEY + b"\x1a\x02\x08\x80" + GOOD, "truncated"),
        (KEY + GOOD + b"\x1a\x7f\x08", "truncated"),
        (KEY + GOOD + b"\x29abc", "truncated"),
        (KEY + b"\x1a" + b"\xff" * 11, "bad_number"),
        (KEY + b"\x1a\x0f\x08" + b"\xff" * 10 + b"\x01\x1a\x01x", "bad_number"),
        (KEY + b"\x1a\x0e\x08" + b"\xff" * 9 + b"\x02\x1a\x01x", "bad_number"),
        (b"\x08\x01" + KEY + GOOD, "bad_field"),
        (b"\x02\x01x" + KEY + GOOD, "bad_field"),
        (KEY + GOOD + b"\x23\x24", "bad_field"),
        (KEY + GOOD + b"\x27", "bad_field"),
        (KEY + b"\x1a\x06\x0a\x01\x00\x1a\x01x", "bad_field"),
        (KEY + GOOD + b"\xfa\xff\xff\xff\xff\x01\x00", "bad_field"),
        (KEY + b"\x1a\x02\x08\x00", "missing_field"),
        (KEY + b"\x1a\x02\x08\x00" + GOOD, "missing_field"),
        (KEY + b"\x1a\x03\x1a\x01x", "missing_field"),
        (KEY + b"\x1a\x00", "missing_field"),
        (KEY + b"\x1a\x07\x08\x00\x1a\x01x\x22\x00", "missing_field"),
        (GOOD, "index_out_of_range"),
        (KEY + b"\x1a\x05\x08\x01\x1a\x01x", "index_out_of_range"),
        (KEY + b"\x1a\x07\x08\x00\x10\x00\x1a\x01x", "index_out_of_range"),
        (KEY + b"\x1a\x0e\x08" + TEN + b"\x1a\x01x", "index_out_of_range"),
        (b"\x0a\x01\xff" + GOOD, "not_utf8"),
        (KEY + b"\x1a\x0b\x08\x00\x1a\x01x\x22\x04\x0a\x02\xff\xff", "not_utf8"),
    ],
)
def test_a_broken_message_is_rejected_with_its_reason(message, reason):
    assert reason_of(sealed(message)) == reason


@pytest.mark.parametrize(
    "message",
    [
        GOOD + KEY,
        KEY + b"\x1a\x05\x1a\x01x\x08\x00",
        KEY + b"\x1a\x06\x08\x80\x00\x1a\x01x",
        KEY + b"\x1a\x07\x08\x07\x08\x00\x1a\x01x",
        KEY + b"\x1a\x0c\x08\x00\x1a\x01x\x22\x05\x0a\x01t\x12\x00",
        KEY + b"\x1a\x0a\x08\x00\x1a\x01x\x2d1234",
        KEY + GOOD + b"\x29" + bytes(8) + b"\x30\x05\x3a\x02ab",
    ],
    ids=["table last", "data first", "long varint", "given twice", "a tag", "record's later field", "later fields"],
)
def test_every_form_that_protobuf_allows_is_read(message):
    assert decode(sealed(message)) == [UserRecord("k", None, b"x")]


@given(records, st.data())
def test_the_md5_detects_a_changed_or_missing_byte_anywhere(given_records, data):
    whole = aggregate_of(given_records).encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    for broken in (flipped, whole[:at], whole[:at] + whole[at + 1 :]):
        assert reason_of(broken) in {"no_magic", "wrong_md5"}
