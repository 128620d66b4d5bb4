"""Partition keys that are taken from the objects themselves."""

from types import MappingProxyType, SimpleNamespace

import pytest

from truckstream.errors import InvalidArgumentError
from truckstream.producer.arguments.partition_keys import key_reader
from truckstream.producer.arguments.put_arguments import PutArguments


@pytest.mark.parametrize(
    "value", [{"id": "A"}, MappingProxyType({"id": "A"}), SimpleNamespace(id="A")], ids=lambda each: type(each).__name__
)
def test_a_name_is_an_item_of_a_mapping_and_an_attribute_of_other_objects(value):
    assert key_reader("id")(value) == "A"


def test_an_item_comes_before_a_method_of_the_same_name():
    assert key_reader("keys")({"keys": "A"}) == "A"


@pytest.mark.parametrize("value", [{}, SimpleNamespace(), b"bytes", None])
def test_an_object_without_the_field_is_rejected(value):
    with pytest.raises(InvalidArgumentError, match="must have the field 'id', its partition key") as caught:
        key_reader("id")(value)
    assert caught.value.value is value
    assert isinstance(caught.value.__cause__, (KeyError, AttributeError))


def test_the_error_of_a_function_is_chained():
    with pytest.raises(InvalidArgumentError, match="data is 7: the function key= failed: ZeroDivisionError") as caught:
        key_reader(lambda value: value / 0)(7)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_key_that_is_no_text_is_rejected():
    with pytest.raises(InvalidArgumentError, match="partition_key is 7: must be a str; key= took it from the object"):
        key_reader("id")({"id": 7})


@pytest.mark.parametrize("key", ["", 7, b"id"])
def test_key_is_a_function_or_a_name(key):
    with pytest.raises(InvalidArgumentError, match=r"key is .*: must be a function, or the name of a field"):
        key_reader(key)


def test_a_key_that_is_passed_comes_first():
    arguments = PutArguments(None, lambda _: pytest.fail("it was not needed"))
    assert arguments.key_of(b"data", "passed") == "passed"


def test_without_key_it_must_be_passed():
    with pytest.raises(InvalidArgumentError, match=r"partition_key is None: must be a str: pass it, or .* with key="):
        PutArguments(None, None).key_of(b"data", None)
