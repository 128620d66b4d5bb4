"""From an object to the data of its record."""

import dataclasses
import json

import msgspec
import pytest

from tests.sample_record import DESCRIBED
from truckstream.errors import InvalidArgumentError
from truckstream.producer.arguments.serialization import plain_data, serializing
from truckstream.record import TruckRecord


@dataclasses.dataclass
class Report:
    truck_id: str
    speed: float


class Struct(msgspec.Struct):
    truck_id: str
    speed: float


FIELDS = {"truck_id": "TRUCK_001", "speed": 65.4}
OBJECTS = [FIELDS, Report(**FIELDS), Struct(**FIELDS)]


@pytest.mark.parametrize("data", [b"caf\xc3\xa9", bytearray(b"caf\xc3\xa9"), memoryview(b"caf\xc3\xa9"), "café"])
def test_bytes_and_text_need_no_serializer(data):
    assert plain_data(data) == b"caf\xc3\xa9"


def test_a_subclass_of_str_is_sent_as_its_own_text():
    class Shouting(str):
        __slots__ = ()

        def encode(self, *_):
            return b"SHOUTED"

    assert plain_data(Shouting("text")) == b"text"


@pytest.mark.parametrize(
    ("data", "match"), [({}, "data is {}: must be bytes or text: .* serializer="), ("\ud800", "that UTF-8 can encode")]
)
def test_other_objects_need_a_serializer(data, match):
    with pytest.raises(InvalidArgumentError, match=match):
        plain_data(data)


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_json_is_compact_and_in_utf8(value):
    assert serializing("json")(value) == b'{"truck_id":"TRUCK_001","speed":65.4}'
    assert serializing("json")("é") == b'"\xc3\xa9"'


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_msgpack_holds_the_fields(value):
    assert msgspec.msgpack.decode(serializing("msgpack")(value)) == FIELDS


def test_json_of_a_truck_record_is_the_records_own():
    record = TruckRecord(**{name: DESCRIBED[name] for name in TruckRecord.__struct_fields__})
    assert serializing("json")(record) == record.to_json()


@pytest.mark.parametrize("result", [b"{}", "{}", bytearray(b"{}"), memoryview(b"{}")])
def test_a_function_may_return_bytes_or_text(result):
    data = serializing(lambda _: result)(object())
    assert (type(data), data) == (bytes, b"{}")


def test_bytes_go_through_the_serializer_too():
    assert serializing(lambda data: data[::-1])(b"abc") == b"cba"


def test_the_error_of_a_serializer_names_the_object_and_is_chained():
    with pytest.raises(InvalidArgumentError, match="the serializer raised TypeError: Object of type set") as caught:
        serializing(json.dumps)({"speeds": {1}})
    assert (caught.value.argument, caught.value.value) == ("data", {"speeds": {1}})
    assert isinstance(caught.value.__cause__, TypeError)


def test_an_object_whose_repr_is_long_or_raises_has_a_short_message():
    class Unprintable:
        def __repr__(self):
            raise RuntimeError

    for value, shown in (("x" * 10_000, r"'x+… \(10,002 characters\)"), (Unprintable(), "an object of Unprintable")):
        with pytest.raises(InvalidArgumentError, match=f"data is {shown}: the serializer raised ZeroDivisionError"):
            serializing(lambda _: 1 / 0)(value)


def test_a_result_that_is_no_data_is_rejected():
    with pytest.raises(InvalidArgumentError, match=r"data is 7: the serializer must return bytes or text, .* NoneType"):
        serializing(lambda _: None)(7)


@pytest.mark.parametrize("serializer", ["yaml", "", 7, b"json"])
def test_a_serializer_is_a_function_or_a_name(serializer):
    with pytest.raises(InvalidArgumentError, match=r'serializer is .*: must be a function, "json" or "msgpack"'):
        serializing(serializer)
