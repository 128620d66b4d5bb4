"""The types of data and of the functions that a caller passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, Union

if TYPE_CHECKING:
    import typing_extensions

__all__ = ["Data", "KeyOf", "Serializer", "SerializerName", "T_contra"]

#: Data that is sent without a serializer; a str is encoded as UTF-8.
Data: TypeAlias = Union[bytes, bytearray, memoryview, str]  # noqa: UP007 - a value at run time, in Python 3.11 too

SerializerName: TypeAlias = Literal["json", "msgpack"]

#: The type of the objects that a producer takes. Without a serializer these are `Data`, so that `Producer` alone means
#: `Producer[Data]`. Type checkers know the default; `typing` has it from Python 3.13 on.
if TYPE_CHECKING:
    T_contra = typing_extensions.TypeVar("T_contra", contravariant=True, default=Data)
else:
    T_contra = TypeVar("T_contra", contravariant=True)

#: From an object to the data of its record.
Serializer: TypeAlias = Callable[[T_contra], Data]

#: From an object to its partition key: a function, or the name of a field.
KeyOf: TypeAlias = Callable[[T_contra], str] | str
