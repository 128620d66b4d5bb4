"""Reads the text form of a fault's options: "rate=0.3,after=5s,operations=PutRecords+PutRecord"."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from truckstream.errors import InvalidArgumentError

__all__ = ["decode_json", "read_options"]

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "": 1.0}
_DURATION: Final = re.compile(r"(-?\d+(?:\.\d+)?)(ms|s|m|h|)")


def read_options(text: str, options: str) -> dict[str, Any]:
    """Return the options of a fault by name.

    Args:
        text: the whole fault, for the error message.
        options: the part after the colon.

    Raises:
        InvalidArgumentError: an option is unknown or its value cannot be read.
    """
    values: dict[str, Any] = {}
    for pair in filter(None, options.split(",")):
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or name not in _READERS:
            rule = f"the options after the colon are {', '.join(_READERS)}, each with = and a value"
            raise InvalidArgumentError("fault", text, f"{pair!r} is not an option; {rule}")
        try:
            values[name] = _READERS[name](value)
        except ValueError as error:
            raise InvalidArgumentError(name, value, str(error)) from None
    return values


def decode_json(text: str) -> object:
    """Decode a fault that is written as a JSON object.

    Raises:
        InvalidArgumentError: the text is not JSON.
    """
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidArgumentError("fault", text, f"must be a JSON object: {error}") from None


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("must be a number of seconds, or have a unit: 500ms, 5s, 2m, 1h")
    return float(found[1]) * _UNITS[found[2]]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("must be a number") from None


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split("+"))


_READERS: Final = {
    "rate": _number,
    "count": _whole_number,
    "skip": _whole_number,
    "after": _duration,
    "until": _duration,
    "operations": _names,
    "shards": _names,
    "seconds": _duration,
    "jitter": _duration,
    "status": _whole_number,
}
