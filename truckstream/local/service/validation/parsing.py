"""Parses a request into the types of its shape. Failures are SerializationExceptions with the messages of the service.

Members that the shape does not have are ignored, as in the service, and so are null members. The service's parser is
lenient with numbers: a fraction is rounded down where a whole number is expected, and a number that is too large
becomes the largest one [rec].
"""

from __future__ import annotations

import binascii
import re
from math import floor
from typing import Any, Final

from truckstream.local.service.errors import not_readable
from truckstream.local.service.validation.shapes import (
    REQUESTS,
    Blob,
    Flag,
    Items,
    Pairs,
    Rule,
    Shape,
    Text,
    Timestamp,
    Whole,
)

__all__ = ["read_request"]

_LARGEST: Final = 2**31 - 1
#: Message for a scalar where a member of this kind is expected; {} is the class of the scalar. All [rec].
_EXPECTED: Final[dict[type, str]] = {
    Text: "class {} can not be converted to an String",
    Whole: "class {} can not be converted to an Integer",
    Flag: "class {} can not be converted to an Boolean",
    Blob: "class {} can not be converted to a Blob",
    Timestamp: "class {} can not be converted to milliseconds since epoch",
    Items: "Expected list or null",
    Pairs: "Expected map or null",
    Shape: "Expected null",
}
_JAVA_NUMBER: Final = "com.amazon.coral.value.json.numbers.TruncatingBigNumber"
_JAVA: Final[dict[type, str]] = {
    bool: "java.lang.Boolean",
    str: "java.lang.String",
    bytes: "java.nio.HeapByteBuffer",
    int: _JAVA_NUMBER,
    float: _JAVA_NUMBER,
}
_NOT_BASE64: Final = re.compile(r"[^a-zA-Z0-9+/=]|=[^=]")


def read_request(operation: str, raw: object, *, ticks: int = 1) -> dict[str, Any]:
    """Return the request as the operations expect it: known members only, without null members, blobs as bytes.

    Args:
        operation: name of the operation.
        raw: the decoded document.
        ticks: units of time in a second, in this encoding.

    Raises:
        RefusedError: the request does not fit its shape (SerializationException).
    """
    if not isinstance(raw, dict):
        raise not_readable()
    request = _read(REQUESTS[operation], raw, ticks)
    assert isinstance(request, dict)  # noqa: S101 - a Shape is read into a dict
    return request


def _read(rule: Rule, value: Any, ticks: int) -> Any:
    match rule, value:
        case Shape(members=members), dict():
            known = {name: member for name, member in value.items() if member is not None and name in members}
            return {name: _read(members[name], member, ticks) for name, member in known.items()}
        case Items(member=member), list():
            return [_read(member, item, ticks) for item in value]
        case Pairs(key=key_rule, value=value_rule), dict():
            return {
                _read(key_rule, key, ticks): _read(value_rule, item, ticks)
                for key, item in value.items()
                if item is not None
            }
        case (Text(), str()) | (Flag(), bool()) | (Blob(), bytes()):
            return value
        case Blob(), str():
            return _read_base64(value)
        case ((Whole() | Timestamp()), (int() | float())) if not isinstance(value, bool) and abs(value) < float("inf"):
            return value / ticks if isinstance(rule, Timestamp) else min(floor(value), _LARGEST)
    raise _unexpected(rule, value)


def _unexpected(rule: Rule, value: object) -> Exception:
    if isinstance(value, list):
        return not_readable("Start of list found where not expected")
    if isinstance(value, dict):
        return not_readable("Start of structure or map found where not expected.")
    if isinstance(rule, Flag) and isinstance(value, str):
        return not_readable(f"'{value.upper()}' can not be converted to an Boolean")
    return not_readable(_EXPECTED[type(rule)].format(_JAVA.get(type(value), "java.lang.Object")))


def _read_base64(text: str) -> bytes:
    problem = "Invalid last non-pad Base64 character dectected"  # the service's spelling
    if len(text) % 4:
        problem = f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(text)}"
    elif (found := _NOT_BASE64.search(text)) is not None:
        problem = f"Invalid Base64 character: '{found[0][0]}'"
    else:
        try:
            data = binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            data = b""
        if binascii.b2a_base64(data, newline=False).decode() == text:
            return data
    raise not_readable(f"'{text}' can not be converted to a Blob: {problem}")
