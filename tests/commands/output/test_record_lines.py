"""Records are printed on lines that a terminal cannot obey, and that programs can read."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.commands.output.record_lines import COLUMNS, format_record, raw_record
from truckstream.kinesis.reading.shard_record import ShardRecord

NUMBER = "49650000000000000000000000000000000000000000000000000001"


def record(data=b"{}", **members):
    facts = {"partition_key": "truck-1", "sequence_number": NUMBER, "arrival": 1_764_000_000.25}
    return ShardRecord(data=data, shard_id="shardId-000000000003", **facts | members)


def test_json_is_one_compact_line_and_its_numbers_stay_as_they_are():
    data = b'{ "a": 1.00,\n "b": [1e400, 12345678901234567890123],\t"c": "\xc3\xbc \\u0041" }'
    line = format_record(record(data))
    assert str(line) == '{"a":1.00,"b":[1e400,12345678901234567890123],"c":"ü \\u0041"}'
    assert line.is_json


def test_json_is_indented_on_request():
    assert str(format_record(record(b'{"a":[1]}'), indent=True)) == '{\n  "a": [\n    1\n  ]\n}'


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"plain text", "plain text"),
        ("Grüße, 世界 🚚".encode(), "Grüße, 世界 🚚"),
        (b"", ""),
        (b"two\nlines", "two\\nlines"),
        (b"\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"),
        ("\u202egnp.exe".encode(), "\\u202egnp.exe"),
        ("\x9b31m".encode(), "\\x9b31m"),
        (b'{"a": 1', '{"a": 1'),
        (b'{"a": 1} {"b": 2}', '{"a": 1} {"b": 2}'),
        (b"\xff\x00\x01", "base64:/wAB"),
        (b'{"a": "\xff"}', "base64:eyJhIjogIv8ifQ=="),
    ],
)
def test_other_data_are_escaped_text_or_base64(data, expected):
    line = format_record(record(data))
    assert (str(line), line.is_json) == (expected, False)


@pytest.mark.parametrize("character", ["\x7f", "\x9b", "\u202e", "\u2028", "\u200b", "\U000e0001"])
def test_a_string_of_json_cannot_hold_what_a_terminal_obeys(character):
    data = json.dumps({"a": f"x{character}y"}, ensure_ascii=False).encode()
    text = str(format_record(record(data)))
    assert text.isprintable()
    assert json.loads(text) == json.loads(data)


def test_the_columns_stand_before_the_data_in_the_order_asked_for():
    line = format_record(record(b"x", subsequence_number=2), ["time", "shard", "key", "sequence"])
    assert str(line) == f"2025-11-24T16:00:00.250Z\tshardId-000000000003\ttruck-1\t{NUMBER}.2\tx"
    assert str(format_record(record(b"x"), ["sequence"])) == f"{NUMBER}\tx"


def test_a_key_cannot_add_columns_or_lines():
    line = format_record(record(b"x", partition_key="a\tb\n\x1b"), ["key"])
    assert str(line) == "a\\tb\\n\\x1b\tx"


def test_raw_data_are_the_bytes_as_they_are_and_a_line_end():
    assert raw_record(record(b"\xff\x1b\n\x00")) == b"\xff\x1b\n\x00\n"
    assert raw_record(record(b"\xff"), ["shard", "key"]) == b"shardId-000000000003\ttruck-1\t\xff\n"


@given(data=st.binary(max_size=50) | st.text(max_size=20).map(str.encode), key=st.text(max_size=5))
def test_every_record_is_one_printable_line(data, key):
    line = format_record(record(data, partition_key=key), list(COLUMNS))
    assert str(line).replace("\t", "").isprintable()
    if line.data.startswith("base64:") and not data.startswith(b"base64:"):
        assert base64.b64decode(line.data.removeprefix("base64:")) == data


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_json_means_the_same_when_it_is_printed(document):
    data = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
    for indent in (False, True):
        line = format_record(record(data), indent=indent)
        if line.is_json:
            assert json.loads(line.data) == document
