"""A refused record: why, and the line that keeps it in `rejected/`.

The line holds everything that is needed to repair and replay the record: its bytes (as text where they are UTF-8,
else as base64), where it stood, and which rule it broke. It follows from the record alone, so that writing it again
gives the same bytes.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.batcher.reading.event import Unreadable
from truckstream.record import REASONS

if TYPE_CHECKING:
    from truckstream.batcher.reading.event import Delivery
    from truckstream.errors import InvalidRecordError

__all__ = ["REFUSALS", "Refusal"]

#: Every reason code that a line in `rejected/` may have, and what it says.
REFUSALS: Final = REASONS | {
    "not_base64": "the event's data is not base64",
    "broken_aggregate": "the record is an aggregate of the KPL that cannot be taken apart",
    "line_break": "the bytes are not JSON and hold a line break, so that they are no line",
}

#: The longest value that is quoted as it is, in bytes of JSON, and the longest name and rule, in characters. The whole
#: record stands in the line anyway.
_LONGEST_VALUE: Final = 1_000

_encode: Final = msgspec.json.Encoder().encode


class Refusal(msgspec.Struct, frozen=True):
    """One record that broke a rule."""

    sequence_number: str
    #: One of `REFUSALS`.
    code: str
    #: The field that is wrong; None where the whole record is.
    field: str | None
    value: object
    rule: str
    #: Its place in its aggregate; None if it came alone.
    subsequence_number: int | None = None

    @classmethod
    def of(cls, delivery: Delivery, index: int, error: InvalidRecordError) -> Refusal:
        whole = isinstance(error.value, (bytes, Unreadable))  # it stands in the line already
        value = None if whole else _quotable(error.value)
        subsequence = delivery.subsequences[index] if delivery.subsequences else None
        field = None if error.field is None else _short(error.field)
        return cls(delivery.sequences[index], _short(error.code), field, value, _short(error.rule), subsequence)

    def line(self, delivery: Delivery, index: int) -> bytes:
        """The line of `rejected/` for the delivery's record at `index`, without a line end."""
        fields = {
            "reason": self.code,
            "field": self.field,
            "value": self.value,
            "rule": self.rule,
            "stream": delivery.stream,
            "shard": delivery.shard,
            "sequence_number": self.sequence_number,
            **self._place(delivery, index),
            "partition_key": _sound(delivery.partition_keys[index]),
            "arrival": delivery.arrivals[index],
        }
        return _encode(fields | _payload(delivery.payloads[index]))

    def _place(self, delivery: Delivery, index: int) -> dict[str, object]:
        """What only records of aggregates have."""
        if self.subsequence_number is None:
            return {}
        return {
            "subsequence_number": self.subsequence_number,
            "explicit_hash_key": delivery.hash_keys.get(index),
        }


def _payload(data: bytes | Unreadable) -> dict[str, object]:
    if isinstance(data, Unreadable):
        if not isinstance(data.data, bytes):
            return {"data_undecoded": _quotable(data.data, longest=None)}
        data = data.data
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"data_base64": base64.b64encode(data).decode()}


def _quotable(value: Any, longest: int | None = _LONGEST_VALUE) -> object:
    """`value` if JSON can say it, shortly; else its beginning in Python's notation."""
    try:
        if longest is None or len(_encode(value)) <= longest:
            _encode(value)
            return value
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # such as half of a surrogate pair, which JSON's escapes can smuggle into a string
    return repr(value)[:longest]


def _short(text: object) -> str:
    """What a user's callable says may be anything."""
    return _sound(str(text))[:_LONGEST_VALUE]


def _sound(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
