"""A rejected record: the reason, and the line that keeps the record in `rejected/`.

The line holds everything that is needed to repair and replay the record: its bytes (as text if they are UTF-8, else as
base64), its place in the stream, and the rule that it broke. It follows from the record alone, so writing it again
gives the same bytes.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.batcher.reading.event import UnreadableData
from truckstream.errors import BrokenAggregateError, InvalidRecordError
from truckstream.kpl import MAGIC, decode
from truckstream.record import REASONS

if TYPE_CHECKING:
    from truckstream.batcher.reading.event import KinesisEvent

__all__ = ["REJECTION_REASONS", "Refusal"]

#: Every reason code that a line in `rejected/` may have, and its meaning.
REJECTION_REASONS: Final = REASONS | {
    "not_base64": "the event's data is not base64",
    "no_sequence_number": "the record has no sequence number in the event; `sequence_number` is that of the one before",
    "broken_aggregate": "the record is an aggregate of the KPL that cannot be decoded",
    "broken_envelope": "the record is an envelope that cannot be opened",
    "line_break": "the bytes are not JSON and contain a line break, so they do not fit one line",
}

#: The longest value that is quoted, in bytes of JSON, and the longest field name and rule, in characters. The line
#: contains the whole record anyway.
_LONGEST_VALUE: Final = 1_000

_encode: Final = msgspec.json.Encoder().encode


class Refusal(msgspec.Struct, frozen=True):
    """Why one record was rejected."""

    sequence_number: str
    #: A key of `REJECTION_REASONS`, or the code of an `InvalidRecordError` that a schema's callable raised.
    code: str
    #: The field that is wrong; None if the whole record is wrong.
    field: str | None
    value: object
    rule: str
    #: The record's position in its aggregate; None if it was not aggregated.
    subsequence_number: int | None = None

    @classmethod
    def of(cls, event: KinesisEvent, index: int, error: InvalidRecordError) -> Refusal:
        error = _broken_aggregate(event.payloads[index]) or error
        is_whole_record = isinstance(error.value, (bytes, UnreadableData))  # the line contains it already
        value = None if is_whole_record else _quotable(error.value)
        subsequence = event.subsequences[index] if event.subsequences else None
        field = None if error.field is None else _short(error.field)
        return cls(event.sequences[index], _short(error.code), field, value, _short(error.rule), subsequence)

    def line(self, event: KinesisEvent, index: int) -> bytes:
        """Return the line in `rejected/` for the event's record at `index`, without a line end."""
        fields = {
            "reason": self.code,
            "field": self.field,
            "value": self.value,
            "rule": self.rule,
            "stream": event.stream,
            "shard": event.shard,
            "sequence_number": self.sequence_number,
            **self._aggregate_fields(event, index),
            "partition_key": _encodable(event.partition_keys[index]),
            "arrival": event.arrivals[index],
        }
        return _encode(fields | _payload(event.payloads[index]))

    def _aggregate_fields(self, event: KinesisEvent, index: int) -> dict[str, object]:
        """Return the fields that only a record from an aggregate has."""
        if self.subsequence_number is None:
            return {}
        return {
            "subsequence_number": self.subsequence_number,
            "explicit_hash_key": event.hash_keys.get(index),
        }


def _broken_aggregate(payload: bytes | UnreadableData) -> InvalidRecordError | None:
    """Return what is wrong with a rejected record that begins like an aggregate; None for any other record."""
    if isinstance(payload, UnreadableData) or not payload.startswith(MAGIC):
        return None
    try:
        decode(payload)
    except BrokenAggregateError as error:
        return InvalidRecordError("broken_aggregate", None, payload, str(error))
    return None  # an aggregate within an aggregate


def _payload(data: bytes | UnreadableData) -> dict[str, object]:
    if isinstance(data, UnreadableData):
        if not isinstance(data.data, bytes):
            return {"data_undecoded": _quotable(data.data, longest=None)}
        data = data.data
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"data_base64": base64.b64encode(data).decode()}


def _quotable(value: Any, longest: int | None = _LONGEST_VALUE) -> object:
    """Return `value` if JSON can represent it within `longest` bytes; else the beginning of its `repr`."""
    try:
        if longest is None or len(_encode(value)) <= longest:
            _encode(value)
            return value
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # such as half of a surrogate pair, which a string can contain through an escape of JSON
    return repr(value)[:longest]


def _short(text: object) -> str:
    """Return a text of limited length. A user's callable may raise an exception with any content."""
    return _shared(_encodable(str(text))[:_LONGEST_VALUE])


@lru_cache(maxsize=256)
def _shared(text: str) -> str:
    """Return one object for equal texts: hundreds of thousands of records may have the same reason."""
    return text


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
