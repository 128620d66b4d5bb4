"""TruckRecord: its fields, their rules, JSON both ways."""

import msgspec
import pytest

from tests.sample_record import DESCRIBED, SAMPLE
from truckstream.errors import InvalidRecordError
from truckstream.record import FIELDS, REASONS, TruckRecord


def test_a_record_is_compact_json():
    assert TruckRecord(**SAMPLE).to_json() == msgspec.json.encode(SAMPLE)
    assert len(msgspec.json.encode(DESCRIBED)) == 498


def test_json_goes_both_ways_in_the_order_of_the_table():
    record = TruckRecord.checked(**SAMPLE)
    assert TruckRecord.from_json(record.to_json()) == record
    assert list(msgspec.json.decode(record.to_json())) == [field.name for field in FIELDS] == list(SAMPLE)


def test_a_whole_number_is_a_number():
    assert TruckRecord.from_json(msgspec.json.encode(SAMPLE | {"speed": 65})).speed == 65.0


@pytest.mark.parametrize(
    ("name", "allowed", "rejected", "rule"),
    [
        *(
            (f"tire_pressure_{wheel}", (28.0, 35.0), (27.9, 35.1), ("28.0", "35.0"))
            for wheel in ("fl", "fr", "rl", "rr")
        ),
        ("engine_temp", (70.0, 120.0), (69.9, 120.1), ("70.0", "120.0")),
        ("speed", (0.0, 120.0), (-0.1, 120.1), ("0.0", "120.0")),
    ],
)
def test_limits_are_inclusive_and_named(name, allowed, rejected, rule):
    for value in allowed:
        assert getattr(TruckRecord.checked(**SAMPLE | {name: value}), name) == value
    for value, limit in zip(rejected, rule, strict=True):
        with pytest.raises(InvalidRecordError) as caught:
            TruckRecord.from_json(msgspec.json.encode(SAMPLE | {name: value}))
        assert (caught.value.code, caught.value.field, caught.value.value) == ("out_of_range", name, value)
        assert limit in caught.value.rule
        assert name in str(caught.value)
        assert str(value) in str(caught.value)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_field_is_required_and_typed(field):
    """A field is missing or of another type, in bytes and in a mapping."""
    without = {name: value for name, value in SAMPLE.items() if name != field.name}
    mistyped = SAMPLE | {field.name: ["no sensor reports a list"]}
    for broken, code in ((without, "missing_field"), (mistyped, "wrong_type")):
        for read in (lambda fields: TruckRecord.from_json(msgspec.json.encode(fields)), _checked):
            with pytest.raises(InvalidRecordError) as caught:
                read(broken)
            assert (caught.value.code, caught.value.field) == (code, field.name)


def _checked(fields):
    return TruckRecord.checked(**fields)


@pytest.mark.parametrize(
    ("change", "code", "value"),
    [
        ({"health_status": "FINE"}, "not_allowed", "FINE"),
        ({"engine_rpm": 2150.5}, "wrong_type", 2150.5),
        ({"speed": True}, "wrong_type", True),
        ({"speed": None}, "wrong_type", None),
        ({"truck_id": ""}, "out_of_range", ""),
        ({"truck_id": "T" * 257}, "out_of_range", "T" * 257),
        ({"tyre_pressure_fl": 30.0}, "unknown_field", 30.0),
    ],
    ids=lambda change: next(iter(change)) if isinstance(change, dict) else None,
)
def test_an_error_names_field_value_and_rule(change, code, value):
    with pytest.raises(InvalidRecordError) as caught:
        TruckRecord.from_json(msgspec.json.encode(SAMPLE | change))
    assert (caught.value.code, caught.value.field, caught.value.value) == (code, next(iter(change)), value)
    assert caught.value.rule


@pytest.mark.parametrize("name", ["engine_rpm", "miles_since_maintenance"])
def test_an_integer_has_at_most_64_bits(name):
    good = TruckRecord(**SAMPLE).to_json()
    old = b'"%b":%d' % (name.encode(), SAMPLE[name])
    for value in (-(2**63), 2**63 - 1):
        data = good.replace(old, b'"%b":%d' % (name.encode(), value))
        assert getattr(TruckRecord.from_json(data), name) == value
    for value in (-(2**63) - 1, 2**63, 10**400, 10**4_000):
        data = good.replace(old, b'"%b":%d' % (name.encode(), value))
        with pytest.raises(InvalidRecordError) as caught:
            TruckRecord.from_json(data)
        assert (caught.value.code, caught.value.field) == ("out_of_range", name)


@pytest.mark.parametrize(
    "change",
    [
        {"truck_id": "\x00\x01\x7f\u2028 卡車"},
        {"timestamp": "noon"},
        {"timestamp": ""},
        {"latitude": 927.0, "longitude": -1e300},
        {"fuel_level": -0.0, "oil_pressure": 5e-324},
    ],
)
def test_a_field_without_limits_accepts_every_value_that_a_column_can_hold(change):
    record = TruckRecord.from_json(msgspec.json.encode(SAMPLE | change))
    assert {name: getattr(record, name) for name in change} == change


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("members", "field", "values"),
    [
        (b'"speed":500,"speed":65.4', "speed", ["500", "65.4"]),
        (b'"speed":65.4,"speed":500', "speed", ["65.4", "500"]),
        (b'"speed":"fast","speed":65.4', "speed", ["fast", "65.4"]),
        (b'"speed":500,"sp\\u0065ed":65.4', "speed", ["500", "65.4"]),
        (b'"speed":500,"truck_id":"b"', "truck_id", [SAMPLE["truck_id"], "b"]),
    ],
)
def test_a_repeated_field_is_reported_before_the_rules_that_its_values_break(members, field, values, as_text):
    data = TruckRecord(**SAMPLE).to_json().replace(b'"speed":65.4', members)
    with pytest.raises(InvalidRecordError) as caught:
        TruckRecord.from_json(data.decode() if as_text else data)
    assert (caught.value.code, caught.value.field, caught.value.value) == ("repeated_field", field, values)


def test_a_repeated_field_is_found_in_time_that_grows_with_the_record_only():
    """To search for each of these names in all of them would take minutes."""
    data = b"{%s}" % b",".join(b'"%d":1' % n for n in [*range(60_000), 59_999])
    with pytest.raises(InvalidRecordError) as caught:
        TruckRecord.from_json(data)
    assert (caught.value.code, caught.value.field) == ("repeated_field", "59999")


def test_the_message_of_an_error_is_printable():
    with pytest.raises(InvalidRecordError) as caught:
        TruckRecord.from_json(b'{"a\\n\\ud83d\\ude9a\\u0007":1}')
    assert caught.value.field == "a\n🚚\x07"
    assert str(caught.value).startswith(r"a\n🚚\x07 is 1")
    assert str(caught.value).isprintable()


def test_the_rule_of_a_choice_lists_what_is_allowed():
    with pytest.raises(InvalidRecordError, match="must be one of NORMAL, WARNING, URGENT"):
        TruckRecord.checked(**SAMPLE | {"health_status": "FINE"})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[]",
        b"null",
        b'"text"',
        b"{} {}",
        b'{"speed": NaN}',
        b'{"speed": Infinity}',
    ],
)
def test_bytes_that_are_not_an_object_are_rejected_with_a_reason(data):
    with pytest.raises(InvalidRecordError) as caught:
        TruckRecord.from_json(data)
    assert caught.value.code in REASONS


def test_a_document_that_is_nested_too_deeply_is_rejected():
    for data in (b"[" * 100_000, b'{"speed":' + b"[" * 100_000):
        with pytest.raises(InvalidRecordError) as raised:
            TruckRecord.from_json(data)
        assert raised.value.code in {"wrong_type", "malformed_json"}


def test_text_that_is_not_utf8_and_a_number_beyond_floats_are_rejected():
    good = TruckRecord(**SAMPLE).to_json()
    for broken in (
        good.replace(b"TRUCK", b"\xff\xfe"),
        good.replace(b"TRUCK", b"\\ud800"),
        good.replace(b"65.4", b"1e400"),
    ):
        with pytest.raises(InvalidRecordError):
            TruckRecord.from_json(broken)


def test_the_table_has_the_described_fields_and_their_limits():
    rows = {field.name: field for field in FIELDS}
    assert len(DESCRIBED) == 22
    assert DESCRIBED.keys() <= rows.keys()
    assert (rows["engine_temp"].minimum, rows["engine_temp"].maximum, rows["engine_temp"].unit) == (70.0, 120.0, "°F")
    assert rows["health_status"].choices == ("NORMAL", "WARNING", "URGENT")
    assert {field.kind for field in FIELDS if field.name in {"engine_rpm", "miles_since_maintenance"}} == {int}
