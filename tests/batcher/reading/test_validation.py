"""Validation: valid records become lines, and invalid ones are rejected with a reason."""

import base64
import json
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.batcher.support import SHARD, number, record, truck
from tests.sample_record import SAMPLE
from truckstream.batcher.reading.event import read_event
from truckstream.batcher.reading.rejected_record import REJECTION_REASONS
from truckstream.batcher.reading.schema import read_schema
from truckstream.batcher.reading.validation import validate
from truckstream.errors import InvalidArgumentError, InvalidRecordError
from truckstream.record import TruckRecord


def validated(*payloads, schema=TruckRecord):
    return validate(read_event([record(data, n) for n, data in enumerate(payloads)]), read_schema(schema))


def reject(data, schema=TruckRecord):
    """Return the reason why one record is rejected, and its line in rejected/."""
    checked = validated(data, schema=schema)
    assert checked.valid.lines == [None]
    return checked.refusals[0], json.loads(checked.rejected.lines[0])


def test_a_valid_record_keeps_its_bytes():
    """Numbers, the order of fields and whitespace within the line stay as the truck sent them."""
    data = truck().replace(b'"speed":65.4', b' "speed" : 6.54e1')
    assert validated(data).valid.lines == [data]


@pytest.mark.parametrize("around", [b"%s\n", b"\r\n%s", b"\n\n%s\n"])
def test_line_breaks_around_a_record_are_removed(around):
    assert validated(around % truck()).valid.lines == [truck()]


def test_a_record_of_several_lines_becomes_one_line():
    pretty = msgspec.json.format(truck().replace(b"65.4", b"6.540e1"), indent=2)
    assert pretty.count(b"\n") == 1 + len(SAMPLE)
    assert validated(truck(), pretty).valid.lines == [truck(), truck().replace(b"65.4", b"6.540e1")]


@pytest.mark.parametrize(
    ("data", "code", "field", "value"),
    [
        (b"", "malformed_json", None, None),
        (b"\x00\xff\xfe", "malformed_json", None, None),
        (b"\xef\xbb\xbf" + truck(), "malformed_json", None, None),
        (truck()[:-1], "malformed_json", None, None),
        (truck() + truck(), "malformed_json", None, None),
        (truck().replace(b"65.4", b"NaN"), "malformed_json", None, None),
        (truck().replace(b"65.4", b"Infinity"), "malformed_json", None, None),
        (truck().replace(b"TRUCK", b"\xff"), "malformed_json", None, None),
        (truck(speed=130.5), "out_of_range", "speed", 130.5),
        (truck(speed="fast"), "wrong_type", "speed", "fast"),
        (truck(engine_rpm=1.5), "wrong_type", "engine_rpm", 1.5),
        (truck(health_status="FINE"), "not_allowed", "health_status", "FINE"),
        (truck(sped=1), "unknown_field", "sped", 1),
        (b"{}", "missing_field", "truck_id", None),
        (truck().replace(b'"speed":65.4', b'"speed":65.4,"speed":66'), "repeated_field", "speed", ["65.4", "66"]),
        (b"[" * 100_000, "wrong_type", None, None),
        (truck().replace(b"65.4", b"[" * 5_000 + b"]" * 5_000), "wrong_type", "speed", None),
        (truck(truck_id="x" * 5_000), "out_of_range", "truck_id", None),
    ],
)
def test_an_invalid_record_is_rejected_with_its_reason_and_bytes(data, code, field, value):
    found, line = reject(data)
    assert found.code in REJECTION_REASONS
    assert (found.code, found.field) == (code, field)
    if value is not None:
        assert found.value == value
    assert line["reason"] == found.code
    assert (line["shard"], line["sequence_number"], line["partition_key"]) == (SHARD, number(0), "TRUCK_000")
    kept = line["data"].encode() if "data" in line else base64.b64decode(line["data_base64"])
    assert kept == data
    assert len(json.dumps(line)) < 3 * len(data) + 3_000


def test_data_that_is_not_base64_is_kept_undecoded():
    records = [record(b"", 0, encoded="#\ud800")]
    checked = validate(read_event(records), read_schema(TruckRecord))
    assert checked.refusals[0].code == "not_base64"
    assert json.loads(checked.rejected.lines[0])["data_undecoded"] == "'#\\ud800'"


def test_only_the_invalid_records_of_an_event_are_rejected():
    checked = validated(truck(1), b"x", truck(2), truck(3), b"y", b"z", truck(4))
    assert checked.valid.lines == [truck(1), None, truck(2), truck(3), None, None, truck(4)]
    assert [rejected.sequence_number for rejected in checked.refusals.values()] == [number(1), number(4), number(5)]


def test_commas_in_strings_do_not_count_as_repeated_fields():
    data = truck(truck_id="TRUCK,1", timestamp=",,,")
    assert validated(truck(), data, truck()).valid.lines == [truck(), data, truck()]


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
def test_a_missing_field_does_not_hide_a_repeated_one(places):
    """One record has a comma too many and the other one too few. Their sum must not make both valid."""
    pair = truck().replace(b'"speed":65.4', b'"speed":65.4,"speed":66'), truck().replace(b'"speed":65.4,', b"")
    first, second = (validated(*(pair[place] for place in places)).refusals[index].code for index in range(2))
    assert {first, second} == {"repeated_field", "missing_field"}


def test_an_escaped_name_counts_as_repeated():
    data = truck().replace(b'"speed":65.4', b'"speed":65.4,"sp\\u0065ed":66')
    assert reject(data)[0].field == "speed"


class Loose(msgspec.Struct):
    n: int


class Open(msgspec.Struct, forbid_unknown_fields=True):
    n: int
    m: int = 0


class Deep(msgspec.Struct, forbid_unknown_fields=True):
    n: list[int]


@pytest.mark.parametrize("schema", [Loose, Open, Deep, dict, list[int]])
def test_other_schemas_accept_a_repeated_name(schema):
    data = {Deep: b'{"n":[1,2],"n":[3]}', list[int]: b"[1]"}.get(schema, b'{"n":1,"n":2}')
    assert validated(data, schema=schema).valid.lines == [data]


@pytest.mark.parametrize(
    ("schema", "data", "code", "field"),
    [
        (Loose, b'{"n":"a","n":1}', "repeated_field", "n"),
        (Loose, b'{"n":"a","m":1,"m":2}', "wrong_type", "n"),
        (Deep, b'{"n":["a"],"n":[1]}', "repeated_field", "n"),
        (list[Loose], b'[{"n":1},{"n":"a","n":1}]', "repeated_field", "n"),
        (list[Loose], b'[{"n":1,"n":2},{"n":"a"}]', "wrong_type", "1.n"),
    ],
)
def test_a_repeated_name_is_the_reason_if_one_of_its_values_breaks_the_schema(schema, data, code, field):
    """The last of its values may be the valid one, so a broken rule and a value would contradict each other."""
    found, _ = reject(data, schema)
    assert (found.code, found.field) == (code, field)


def test_a_field_that_the_schema_skips_must_still_be_utf8():
    class Loose(msgspec.Struct):
        n: int

    assert reject(b'{"n":1,"x":"\xff"}', Loose)[0].code == "malformed_json"
    assert validated('{"n":1,"x":"é"}'.encode(), schema=Loose).refusals == {}


def test_a_callable_rejects_a_record_by_raising_any_exception():
    def odd(data):
        if data == b"own":
            raise InvalidRecordError("out_of_range", "n", 7, "must be small")
        return 1 / (len(data) % 2)

    checked = validated(b"odd", b"even", b"own", schema=odd)
    assert checked.valid.lines == [b"odd", None, None]
    assert [(each.code, each.field) for each in checked.refusals.values()] == [("schema", None), ("out_of_range", "n")]
    assert "ZeroDivisionError" in checked.refusals[1].rule


class NoTextError(Exception):
    def __str__(self):
        raise RuntimeError("not even this")


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        (StopIteration("over"), "StopIteration"),
        (NoTextError(), "NoTextError: it has no text"),
        (KeyError(), "KeyError"),
        (ValueError("\ud800"), "ValueError: \\ud800"),
        (ValueError("x" * 5_000), "ValueError: " + "x" * 988),
        (InvalidRecordError("own", "\ud800" * 600, object, "\udfff"), "\\udfff"),
        (InvalidRecordError(None, 7, float("nan"), None), "None"),
    ],
)
@pytest.mark.parametrize("bad", [b"first", b"middle", b"last"])
def test_the_exception_of_a_callable_becomes_the_rule(error, rule, bad):
    def check(data):
        if data == bad:
            raise error

    payloads = [b"first", b"middle", b"last"]
    checked = validated(*payloads, schema=check)
    assert checked.valid.lines == [None if data == bad else data for data in payloads]
    (rejected,) = checked.refusals.values()
    assert rejected.rule == rule
    line = json.loads(checked.rejected.lines[payloads.index(bad)])
    assert (line["rule"], line["data"]) == (rule, bad.decode())


class Choosy(msgspec.Struct):
    n: int

    def __post_init__(self):
        raise [StopIteration, LookupError, ValueError("seven")][self.n]


def test_an_exception_of_post_init_becomes_the_rule():
    checked = validated(b'{"n":0}', b'{"n":1}', b'{"n":2}', schema=Choosy)
    rules = [(rejected.code, rejected.rule) for rejected in checked.refusals.values()]
    assert rules == [("schema", "StopIteration"), ("schema", "LookupError"), ("schema", "seven")]


def test_the_return_value_of_a_callable_is_ignored():
    assert validated(b"1", b"2", schema=lambda data: data == b"1").refusals == {}


def test_without_a_schema_any_line_is_valid():
    checked = validated(b"", b"\xff\x00", b'{"a":\n1}', b"two\nlines", schema=None)
    assert checked.valid.lines == [b"", b"\xff\x00", b'{"a":1}', None]
    assert checked.refusals[3].code == "line_break"
    assert checked.valid.encode(0, 4) == b'\n\xff\x00\n{"a":1}\n'


@pytest.mark.parametrize("schema", [None, lambda data: data])
@pytest.mark.parametrize("data", [b"line", b'{"a": 1}', b"\xff\x00", b"", b" 7 "])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_break_at_the_end_is_not_stored(data, end, schema):
    """AWS's sample producers end each record with one."""
    checked = validated(data + end, b"another", schema=schema)
    assert checked.valid.lines == [data, b"another"]


@pytest.mark.parametrize("data", [b"two\nlines", b"two\nlines\n", b"line\n\n", b"line\r\r\n", b"\nline", b"\r\n\n"])
def test_without_a_schema_a_line_break_inside_is_refused(data):
    found, line = reject(data, None)
    assert found.code == "line_break"
    assert line["data"].encode() == data


@pytest.mark.parametrize("schema", [TruckRecord, dict])
def test_a_line_break_at_the_end_of_json_leaves_the_other_whitespace(schema):
    data = truck().replace(b",", b" , ")
    assert validated(data + b"\n", schema=schema).valid.lines == [data]


async def check_later(data):
    raise ValueError(data)


class Foreign:
    """A class that msgspec cannot decode, such as a model of another library."""


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (7, "not supported"),
        ("TruckRecord", "not supported"),
        (object(), "not supported"),
        (check_later, "must not be async"),
        (Foreign, "JSON has no objects of this class; pass a function"),
        (complex, "JSON has no objects of this class"),
    ],
)
def test_an_unsupported_schema_is_rejected(schema, reason):
    with pytest.raises(InvalidArgumentError, match=f"schema is .*{reason}"):
        read_schema(schema)


def test_a_struct_may_have_annotations_of_other_libraries():
    class Described(msgspec.Struct, forbid_unknown_fields=True):
        n: Annotated[int, "a count", msgspec.Meta(ge=0), msgspec.Meta(le=9)]

    assert reject(b'{"n":10}', Described)[0].code == "out_of_range"
    assert reject(b'{"n":1,"n":2}', Described)[0].code == "repeated_field"


@pytest.mark.parametrize("bad", [b'{"n":10,"is":"a"}', b'{"n":1,"is":"c"}', b'{"n":10,"n":1,"is":"a"}', b'{"m":1}'])
def test_the_fields_of_a_struct_are_looked_up_once_for_all_rejected_records(bad, monkeypatch):
    """It takes 0.3 ms. An event may have hundreds of thousands of rejected records, and a call only minutes."""

    class Own(msgspec.Struct, forbid_unknown_fields=True):
        n: Annotated[int, msgspec.Meta(ge=0, le=9)]
        is_: Literal["a", "b"] = msgspec.field(name="is")

    looked_up, look_up = [], msgspec.structs.fields
    monkeypatch.setattr(msgspec.structs, "fields", lambda schema: looked_up.append(schema) or look_up(schema))
    assert len(validated(*[bad] * 20, schema=Own).refusals) == 20
    assert looked_up == [Own]


@pytest.mark.parametrize("schema", [object, dict, dict[str, int], msgspec.Raw, int | dict[str, int]])
def test_types_that_msgspec_decodes_are_schemas(schema):
    assert validated(b'{"n":1}', schema=schema).refusals == {}


bytes_like_json = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda data, at, removed, new: data[:at] + new + data[at + removed :],
        st.just(truck()),
        st.integers(0, 498),
        st.integers(0, 9),
        st.binary(max_size=6) | st.sampled_from([b"\n", b"NaN", b"1e999", b'"', b"{", b"null", b"\\ud800"]),
    ),
)


@given(st.lists(bytes_like_json, min_size=1, max_size=30))
def test_any_bytes_are_either_valid_or_rejected(payloads):
    checked = validated(*payloads)
    for index, data in enumerate(payloads):
        line, rejected = checked.valid.lines[index], checked.rejected.lines[index]
        assert (line is None) != (rejected is None)
        assert line is None or (b"\n" not in line and TruckRecord.from_json(line) == TruckRecord.from_json(data))
        assert rejected is None or b"\n" not in rejected
