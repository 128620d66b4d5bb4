"""Every way in which a record can break the rules, derived from the table of rules.

A corruption turns the bytes of a valid record into bytes that `TruckRecord.from_json` must reject, with the reason code
and the field that its `breakage` announces. Corruptions are dealt like cards: all of them in a random order, then all
again, so that a demo with a few hundred broken records has met each.
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
    """The damage to a record, and the error with which it must be rejected."""

    #: The kind of damage, such as `below` or `truncated`.
    kind: str
    #: The reason code that InvalidRecordError must have.
    code: str
    #: The field that the error must name; None where it concerns the whole document.
    field: str | None = None


class Corruption(msgspec.Struct, frozen=True):
    """One way to break a record: `apply` turns a valid record's bytes into invalid ones."""

    breakage: Breakage
    apply: Callable[[bytes, Random], bytes]


def _with_value(kind: str, code: str, field: str, make: Callable[[Random], object]) -> Corruption:
    def apply(data: bytes, random: Random) -> bytes:
        fields: dict[str, Any] = _decode(data)
        fields[field] = make(random)
        return _encode(fields)

    return Corruption(Breakage(kind, code, field), apply)


def _with_literal(kind: str, code: str, field: str, literal: bytes) -> Corruption:
    return _with_value(kind, code, field, lambda _: msgspec.Raw(literal))


def _with_non_json_literal(kind: str, field: str, literal: bytes) -> Corruption:
    """JSON has no such literal, so the whole document is not JSON and the error names no field."""
    return Corruption(Breakage(kind, "malformed_json"), _with_literal(kind, "malformed_json", field, literal).apply)


def _without(field: str) -> Corruption:
    def apply(data: bytes, _: Random) -> bytes:
        fields: dict[str, Any] = _decode(data)
        del fields[field]
        return _encode(fields)

    return Corruption(Breakage("missing", "missing_field", field), apply)


def _repeated(field: str) -> Corruption:
    """The field a second time, with a value that would be valid by itself."""

    def apply(data: bytes, _: Random) -> bytes:
        return data[:-1] + b',"%b":%b}' % (field.encode(), _encode(_decode(data)[field]))

    return Corruption(Breakage("repeated", "repeated_field", field), apply)


def _repeated_after_invalid(field: str, literal: bytes) -> Corruption:
    """The field twice, first with a value that breaks a rule."""

    def apply(data: bytes, _: Random) -> bytes:
        return b'{"%b":%b,' % (field.encode(), literal) + data[1:]

    return Corruption(Breakage("repeated_after_invalid", "repeated_field", field), apply)


def _beyond_limits(field: Field) -> Iterator[Corruption]:
    """Values below and above a number's limits: mostly a little, like a drifting sensor's, sometimes far."""
    if field.kind is int:
        yield from _beyond_integers(field.name, int(field.minimum or 0), int(field.maximum or 0))
        return
    if field.minimum is not None:
        low = field.minimum
        yield _with_value(
            "below", "out_of_range", field.name, lambda random: round(low - 0.1 - 40.0 * random.random() ** 4, 1)
        )
    if field.maximum is not None:
        high = field.maximum
        yield _with_value(
            "above", "out_of_range", field.name, lambda random: round(high + 0.1 + 40.0 * random.random() ** 4, 1)
        )


def _beyond_integers(name: str, low: int, high: int) -> Iterator[Corruption]:
    """Integers that no column holds: by one, or with hundreds of digits. They are literals, as msgspec encodes none."""

    def beyond(limit: int, direction: int) -> Callable[[Random], object]:
        return lambda random: msgspec.Raw(b"%d" % (limit + direction * 10 ** random.choice([0, 0, 1, 20, 400])))

    yield _with_value("below", "out_of_range", name, beyond(low, -1))
    yield _with_value("above", "out_of_range", name, beyond(high, 1))


def _beyond_lengths(field: Field) -> Iterator[Corruption]:
    if field.minimum is not None:
        shortest = int(field.minimum)
        yield _with_value("too_short", "out_of_range", field.name, lambda _: "T" * (shortest - 1))
    if field.maximum is not None:
        longest = int(field.maximum)
        yield _with_value(
            "too_long", "out_of_range", field.name, lambda random: "T" * (longest + random.randint(1, 50))
        )


def _of_field(field: Field) -> Iterator[Corruption]:
    name = field.name
    yield _without(name)
    yield _with_literal("null", "wrong_type", name, b"null")
    yield _with_literal("list", "wrong_type", name, b"[]")
    if field.kind is str:
        yield _with_literal("number_for_text", "wrong_type", name, b"17")
        yield from _beyond_lengths(field)
    else:
        yield _with_literal("text_for_number", "wrong_type", name, b'"17"')
        yield _with_literal("boolean", "wrong_type", name, b"true")
        yield _with_non_json_literal("not_a_number", name, b"NaN")
        yield _with_non_json_literal("infinity", name, b"-Infinity")
        yield from _beyond_limits(field)
    if field.kind is int:
        yield _with_literal("fraction", "wrong_type", name, b"2150.5")
    for choice in ("FINE", field.choices[0].lower(), "") if field.choices else ():
        yield _with_value("not_allowed", "not_allowed", name, partial(_always, choice))


def _always(value: object, _: Random) -> object:
    return value


def _truncate(data: bytes, random: Random) -> bytes:
    # Not inside a number: the rest of one can be read as a number, and is then rejected as out of range.
    return data[: random.randrange(2, len(data))].rstrip(b"-.0123456789")


def _of_document(kind: str, code: str, apply: Callable[[bytes, Random], bytes]) -> Corruption:
    return Corruption(Breakage(kind, code), apply)


_OF_DOCUMENTS: Final = (
    _of_document("empty", "malformed_json", lambda _, __: b""),
    _of_document("truncated", "malformed_json", _truncate),
    _of_document(
        "not_utf8", "malformed_json", lambda data, _: data.replace(b'"timestamp":"', b'"timestamp":"\xff\xfe')
    ),
    _of_document(
        "lone_surrogate", "malformed_json", lambda data, _: data.replace(b'"timestamp":"', b'"timestamp":"\\ud800')
    ),
    _of_document("byte_order_mark", "malformed_json", lambda data, _: b"\xef\xbb\xbf" + data),
    _of_document("two_documents", "malformed_json", lambda data, _: data + data),
    _of_document("trailing_comma", "malformed_json", lambda data, _: data[:-1] + b",}"),
    _of_document("single_quotes", "malformed_json", lambda data, _: data.replace(b'"', b"'")),
    _of_document("plain_text", "malformed_json", lambda _, __: b"sensor offline"),
    _of_document("compressed", "malformed_json", lambda data, _: b"\x1f\x8b\x08\x00" + data[:64]),
    _of_document("array", "wrong_type", lambda data, _: b"[" + data + b"]"),
    _of_document("null_document", "wrong_type", lambda _, __: b"null"),
    _of_document("text_document", "wrong_type", lambda _, __: b'"sensor offline"'),
    _of_document("number_document", "wrong_type", lambda _, __: b"17"),
    Corruption(Breakage("empty_object", "missing_field", FIELDS[0].name), lambda _, __: b"{}"),
)

_REPEATED: Final = (
    *map(_repeated, ("truck_id", "speed", "health_status")),
    _repeated_after_invalid("speed", b"500"),
    _repeated_after_invalid("engine_rpm", b'"fast"'),
)

_UNKNOWN: Final = tuple(
    _with_value("unknown_field", "unknown_field", name, lambda _: 30.0)
    for name in ("tyre_pressure_fl", "Speed", "cargo")
)

#: Every corruption.
CORRUPTIONS: Final = (
    *(corruption for field in FIELDS for corruption in _of_field(field)),
    *_UNKNOWN,
    *_REPEATED,
    *_OF_DOCUMENTS,
)


def shuffled_corruptions(random: Random) -> Iterator[Corruption]:
    """Yield all corruptions in a random order, then all again, for ever."""
    cards = list(CORRUPTIONS)
    while True:
        random.shuffle(cards)
        yield from cards


def valid_run_lengths(share: float, random: Random) -> Iterator[int]:
    """Yield how many valid records precede each broken one, where `share` (over 0, up to 1) of all are broken.

    One number is drawn for each broken record instead of one for each record, so that valid records cost nothing.
    """
    while True:
        yield 0 if share >= 1.0 else int(log(1.0 - random.random()) / log(1.0 - share))
