"""Every way in which a record can break the rules, made from the table of rules itself.

A way takes the bytes of a valid record and gives bytes that `TruckRecord.from_json` must refuse, with the reason code
and the field that the way announces. Ways are dealt like cards: all of them in a random order, then all again, so
that a demo of a few hundred broken records has met each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import log
from random import Random
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.record import FIELDS, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CORRUPTIONS", "Breakage", "Corruption", "shuffled_corruptions", "valid_run_lengths"]

_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.decode


class Breakage(msgspec.Struct, frozen=True):
    """What was done to a record, and how it must be refused."""

    #: What was done, such as `below` or `truncated`.
    kind: str
    #: The reason code that InvalidRecordError must have.
    code: str
    #: The field that it must name; None where the whole document is meant.
    field: str | None = None


class Corruption(msgspec.Struct, frozen=True):
    """One way: `apply` turns a valid record's bytes into broken ones."""

    breakage: Breakage
    apply: Callable[[bytes, Random], bytes]


def _same(value: object, _: Random) -> object:
    return value


def _value(kind: str, code: str, field: str, make: Callable[[Random], object]) -> Corruption:
    def apply(data: bytes, random: Random) -> bytes:
        fields: dict[str, Any] = _decode(data)
        fields[field] = make(random)
        return _encode(fields)

    return Corruption(Breakage(kind, code, field), apply)


def _literal(kind: str, code: str, field: str, literal: bytes) -> Corruption:
    return _value(kind, code, field, lambda _: msgspec.Raw(literal))


def _unreadable(kind: str, field: str, literal: bytes) -> Corruption:
    """JSON has no such literal, so the whole document is no JSON: the refusal names no field."""
    return Corruption(Breakage(kind, "malformed_json"), _literal(kind, "malformed_json", field, literal).apply)


def _missing(field: str) -> Corruption:
    def apply(data: bytes, _: Random) -> bytes:
        fields: dict[str, Any] = _decode(data)
        del fields[field]
        return _encode(fields)

    return Corruption(Breakage("missing", "missing_field", field), apply)


def _limits(field: Field) -> Iterator[Corruption]:
    """Below and above a number's limits: by little, as a sensor that drifts, up to far."""
    if field.minimum is not None:
        low = field.minimum
        yield _value(
            "below", "out_of_range", field.name, lambda random: round(low - 0.1 - 40.0 * random.random() ** 4, 1)
        )
    if field.maximum is not None:
        high = field.maximum
        yield _value(
            "above", "out_of_range", field.name, lambda random: round(high + 0.1 + 40.0 * random.random() ** 4, 1)
        )


def _lengths(field: Field) -> Iterator[Corruption]:
    if field.minimum is not None:
        yield _value("too_short", "out_of_range", field.name, lambda _: "T" * (int(field.minimum or 0) - 1))
    if field.maximum is not None:
        longest = int(field.maximum)
        yield _value("too_long", "out_of_range", field.name, lambda random: "T" * (longest + random.randint(1, 50)))


def _ways_of(field: Field) -> Iterator[Corruption]:
    name = field.name
    yield _missing(name)
    yield _literal("null", "wrong_type", name, b"null")
    yield _literal("list", "wrong_type", name, b"[]")
    if field.kind is str:
        yield _literal("number_for_text", "wrong_type", name, b"17")
        yield from _lengths(field)
    else:
        yield _literal("text_for_number", "wrong_type", name, b'"17"')
        yield _literal("boolean", "wrong_type", name, b"true")
        yield _unreadable("not_a_number", name, b"NaN")
        yield _unreadable("infinity", name, b"-Infinity")
        yield from _limits(field)
    if field.kind is int:
        yield _literal("fraction", "wrong_type", name, b"2150.5")
    for choice in ("FINE", field.choices[0].lower(), "") if field.choices else ():
        yield _value("not_allowed", "not_allowed", name, partial(_same, choice))


def _cut(data: bytes, random: Random) -> bytes:
    # Not inside a number: what is left of one can be read, and is then refused for its size.
    return data[: random.randrange(2, len(data))].rstrip(b"-.0123456789")


def _document(kind: str, code: str, apply: Callable[[bytes, Random], bytes]) -> Corruption:
    return Corruption(Breakage(kind, code), apply)


_DOCUMENTS: Final = (
    _document("empty", "malformed_json", lambda _, __: b""),
    _document("truncated", "malformed_json", _cut),
    _document("not_utf8", "malformed_json", lambda data, _: data.replace(b'"timestamp":"', b'"timestamp":"\xff\xfe')),
    _document(
        "lone_surrogate", "malformed_json", lambda data, _: data.replace(b'"timestamp":"', b'"timestamp":"\\ud800')
    ),
    _document("byte_order_mark", "malformed_json", lambda data, _: b"\xef\xbb\xbf" + data),
    _document("two_documents", "malformed_json", lambda data, _: data + data),
    _document("trailing_comma", "malformed_json", lambda data, _: data[:-1] + b",}"),
    _document("single_quotes", "malformed_json", lambda data, _: data.replace(b'"', b"'")),
    _document("plain_text", "malformed_json", lambda _, __: b"sensor offline"),
    _document("compressed", "malformed_json", lambda data, _: b"\x1f\x8b\x08\x00" + data[:64]),
    _document("array", "wrong_type", lambda data, _: b"[" + data + b"]"),
    _document("null_document", "wrong_type", lambda _, __: b"null"),
    _document("text_document", "wrong_type", lambda _, __: b'"sensor offline"'),
    _document("number_document", "wrong_type", lambda _, __: b"17"),
    Corruption(Breakage("empty_object", "missing_field", FIELDS[0].name), lambda _, __: b"{}"),
)


def _repeated(field: str) -> Corruption:
    """The name a second time, with a value that would pass by itself."""

    def apply(data: bytes, _: Random) -> bytes:
        return data[:-1] + b',"%b":%b}' % (field.encode(), _encode(_decode(data)[field]))

    return Corruption(Breakage("repeated", "repeated_field", field), apply)


_REPEATED: Final = tuple(map(_repeated, ("truck_id", "speed", "health_status")))

_UNKNOWN: Final = tuple(
    _value("unknown_field", "unknown_field", name, lambda _: 30.0) for name in ("tyre_pressure_fl", "Speed", "cargo")
)

#: All of them.
CORRUPTIONS: Final = (*(way for field in FIELDS for way in _ways_of(field)), *_UNKNOWN, *_REPEATED, *_DOCUMENTS)


def shuffled_corruptions(random: Random) -> Iterator[Corruption]:
    """The ways for ever: all in a random order, then all again."""
    cards = list(CORRUPTIONS)
    while True:
        random.shuffle(cards)
        yield from cards


def valid_run_lengths(share: float, random: Random) -> Iterator[int]:
    """How many valid records stand before each broken one, where `share` (over 0, up to 1) of all are broken.

    Drawn once a broken record instead of once a record, so that valid ones pay nothing.
    """
    while True:
        yield 0 if share >= 1.0 else int(log(1.0 - random.random()) / log(1.0 - share))
