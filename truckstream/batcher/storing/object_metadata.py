"""The metadata of an object: which records of which shard it holds, and what proves it complete.

A redelivery compares `ObjectMetadata` with its own records to recognise the objects that an earlier delivery stored. It
ignores `ObjectProof`: objects of earlier versions have none, and two deliveries of one group may know different parts.
"""

from __future__ import annotations

import re
from hashlib import blake2b, sha256
from itertools import takewhile
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.batcher.formats.stream_fields import Places
    from truckstream.batcher.grouping.lines import Lines

__all__ = ["LAYOUT_VERSION", "ObjectMetadata", "ObjectProof"]

#: Part of every key and of the metadata: objects that were grouped or encoded by other rules are never taken for ours.
LAYOUT_VERSION: Final = "1"

_PART: Final = re.compile(r"[0-9]{1,9}/[0-9]{1,9}")


class ObjectMetadata(msgspec.Struct, frozen=True):
    """States that the shard's records from `first` to `last` are stored: in this object and in the one beside it.

    `records` counts all of them, `lines` those that have a line in this object. `digest` covers the sequence numbers of
    the latter, with the subsequence numbers of records from aggregates. Kinesis never changes a record, so its number
    identifies its content, unless a stream repeats numbers. Then two objects could hold other records of the same
    numbers, and the second would be lost if it were taken for the first. So the digest also covers lines: those of the
    first and of the last sequence number, because an event may end between two records, or two aggregates, of one
    number; and all lines if a number is repeated in the object. (Covering all lines of every object would take 1.4 µs a
    record.)
    """

    stream: str
    shard: str
    first: str = msgspec.field(name="first-sequence-number")
    last: str = msgspec.field(name="last-sequence-number")
    records: str
    lines: str
    digest: str
    layout: str = msgspec.field(name="layout-version")

    @classmethod
    def of(cls, lines: Lines, start: int, stop: int) -> ObjectMetadata:
        """Return the metadata of the object that holds the lines between two indices."""
        present = lines.present(start, stop)
        return cls(
            stream=lines.stream,
            shard=lines.shard,
            first=lines.sequences[start],
            last=lines.sequences[stop - 1],
            records=str(stop - start),
            lines=str(len(present)),
            digest=_digest(lines.places(start, stop), present),
            layout=LAYOUT_VERSION + lines.format.layout,
        )

    @classmethod
    def read(cls, attributes: Mapping[str, str]) -> ObjectMetadata | None:
        """Return the metadata among a stored object's attributes.

        None if the store keeps no metadata, or if the batcher did not make the object.
        """
        try:
            found = msgspec.convert(attributes, cls)
        except msgspec.ValidationError:
            return None
        are_numbers = found.last.isdecimal() and found.records.isdecimal()
        return found if all(msgspec.structs.astuple(found)) and are_numbers else None

    def attributes(self) -> dict[str, str]:
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


class ObjectProof(msgspec.Struct, frozen=True, omit_defaults=True):
    """The attributes with which an auditor proves that a shard's objects are whole, unchanged and complete.

    A field is None if the writer did not know it, as all are for an object of an earlier version.
    """

    #: SHA-256 of the stored bytes, in hexadecimal digits, and their number.
    sha256: str | None = None
    size: str | None = None
    #: The sequence number of the shard's record before the first one of this object, which another object holds.
    previous: str | None = msgspec.field(name="previous-sequence-number", default=None)
    #: How many records of the stream the group holds, if `records` counts the user records of aggregates.
    kinesis_records: str | None = msgspec.field(name="kinesis-records", default=None)
    #: For a group of a long aggregate: the position of its first record there, and the aggregate's number of records,
    #: such as "700/1900".
    part: str | None = msgspec.field(name="aggregate-part", default=None)

    @classmethod
    def of(cls, lines: Lines, start: int, stop: int, content: bytes) -> ObjectProof:
        """Return the proof of the object that holds the lines between two indices as `content`."""
        kinesis_records = lines.kinesis_records(start, stop)
        part = lines.part_of_aggregate(start)
        return cls(
            sha256=sha256(content).hexdigest(),
            size=str(len(content)),
            previous=lines.previous_sequence(start),
            kinesis_records=None if kinesis_records == stop - start else str(kinesis_records),
            part=None if part is None else f"{part[0]}/{part[1]}",
        )

    @classmethod
    def read(cls, attributes: Mapping[str, str]) -> ObjectProof:
        """Return the proof among a stored object's attributes. Values that no writer makes count as unknown."""
        found = msgspec.convert(attributes, cls, strict=False)
        numbers = {name: value for name in ("size", "previous", "kinesis_records") if (value := getattr(found, name))}
        wrong = [name for name, value in numbers.items() if not (value.isascii() and value.isdecimal())]
        if found.part is not None and not _PART.fullmatch(found.part):
            wrong.append("part")
        return msgspec.structs.replace(found, **dict.fromkeys(wrong)) if wrong else found

    def attributes(self) -> dict[str, str]:
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


def _digest(places: Places, lines: list[bytes]) -> str:
    numbers = places.numbers()
    is_repeating = len(set(numbers)) < len(numbers)
    content = lines if is_repeating else _lines_at_the_ends(places.sequences, lines)
    identity = b"\n".join(("\n".join(numbers).encode(), *content))
    return blake2b(identity, digest_size=16).hexdigest()


def _lines_at_the_ends(sequences: list[str], lines: list[bytes]) -> list[bytes]:
    """Return the lines of the first and of the last sequence number. The numbers ascend."""
    if sequences[:1] == sequences[-1:]:
        return lines
    first, last = _count_of_first(sequences), _count_of_first(sequences[::-1])
    return lines if first + last >= len(lines) else [*lines[:first], *lines[len(lines) - last :]]


def _count_of_first(sequences: list[str]) -> int:
    """Return how many of the numbers at the beginning are equal to the first one."""
    return sum(1 for _ in takewhile(lambda each: each == sequences[0], sequences))
