"""The facts about a stored object that an audit works with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from truckstream.batcher.storing.object_metadata import ObjectMetadata, ObjectProof

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.data.objects.catalog import ListedObject

__all__ = ["AuditedObject", "ObjectKind", "name_of", "sort_text"]

ObjectKind = Literal["valid", "rejected"]

#: An object's name without its suffix, and without the characters that a collision adds.
_NAME: Final = re.compile(r"batch_[^_]+_.{8}")


class AuditedObject(msgspec.Struct, frozen=True, gc=False):
    """An object with metadata. Sequence numbers are texts of digits without leading zeros."""

    key: str
    kind: ObjectKind
    size: int
    #: When it was stored, and when Kinesis stored its first record, in seconds since the epoch.
    modified: float
    arrival: float
    stream: str
    shard: str
    first: str
    last: str
    #: Records of the group, and those that have a line in this object.
    records: int
    lines: int
    digest: str
    layout: str
    suffix: str
    #: Kinesis records that begin in the group: an aggregate is one.
    kinesis_records: int
    previous: str | None
    has_checksum: bool
    #: Where in its aggregate the group begins, and how many records the aggregate has; None for other groups.
    part: tuple[int, int] | None

    @classmethod
    def of(
        cls, listed: ListedObject, kind: ObjectKind, attributes: Mapping[str, str]
    ) -> tuple[AuditedObject, ObjectProof] | None:
        """Return the facts and the proof; None if the batcher did not write this metadata."""
        metadata = ObjectMetadata.read(attributes)
        if metadata is None or not (metadata.first.isdecimal() and metadata.lines.isdecimal()):
            return None
        proof = ObjectProof.read(attributes)
        found = cls(
            key=listed.key,
            kind=kind,
            size=listed.size,
            modified=listed.modified.timestamp(),
            arrival=listed.name.arrival.timestamp(),
            stream=metadata.stream,
            shard=metadata.shard,
            first=str(int(metadata.first)),
            last=str(int(metadata.last)),
            records=int(metadata.records),
            lines=int(metadata.lines),
            digest=metadata.digest,
            layout=metadata.layout,
            suffix=listed.name.suffix,
            kinesis_records=int(proof.kinesis_records or metadata.records),
            previous=str(int(proof.previous)) if proof.previous else None,
            has_checksum=proof.sha256 is not None,
            part=_part_of(proof),
        )
        return found, proof

    @property
    def place(self) -> tuple[str, str]:
        """The stream and the shard."""
        return self.stream, self.shard

    @property
    def numbers(self) -> tuple[int, int]:
        """The group's first and last sequence number."""
        return int(self.first), int(self.last)

    @property
    def name(self) -> str:
        """The part of the key that the two objects of a group have in common."""
        return name_of(self.key)


def _part_of(proof: ObjectProof) -> tuple[int, int] | None:
    if proof.part is None:
        return None
    position, _, count = proof.part.partition("/")
    return int(position), int(count)


def name_of(key: str) -> str:
    """Return the part of a key that is equal for the two objects of a group."""
    found = _NAME.match(key.rpartition("/")[2])
    return found[0] if found else key


def sort_text(number: str) -> str:
    """Return a text that sorts as the number does, of at most 999 digits."""
    return f"{len(number):03}{number}"
