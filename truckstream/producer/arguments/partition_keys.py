"""Partition keys that are taken from the objects themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.producer.arguments.types import KeyOf

__all__ = ["key_reader"]


def key_reader(key: KeyOf[Any]) -> Callable[[object], str]:
    """Return a function that reads an object's partition key, and raises `InvalidArgumentError` if it has none.

    Raises:
        InvalidArgumentError: `key` is neither a function nor the name of a field.
    """
    if isinstance(key, str) and key:
        read = _reader_of_field(key)
        rule = f"must have the field {key!r}, its partition key"
    elif callable(key):
        read = key
        rule = "the function key= failed"
    else:
        raise InvalidArgumentError("key", key, "must be a function, or the name of a field")

    def key_of(value: object) -> str:
        try:
            found = read(value)
        except Exception as error:
            raise InvalidArgumentError("data", value, f"{rule}: {type(error).__name__}: {error}") from error
        if not isinstance(found, str):
            raise InvalidArgumentError("partition_key", found, "must be a str; key= took it from the object")
        return found

    return key_of


def _reader_of_field(name: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        return value[name] if isinstance(value, Mapping) else getattr(value, name)

    return read
