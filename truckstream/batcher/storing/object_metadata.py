"""The metadata of an object: which records of which shard it holds.

A redelivery compares it with its own records to recognise the objects that an earlier delivery stored.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.batcher.grouping.lines import Lines

__all__ = ["LAYOUT_VERSION", "ObjectMetadata"]

#: Part of every key and of the metadata: objects that were grouped or encoded by other rules are never taken for ours.
LAYOUT_VERSION: Final = "1"


class ObjectMetadata(msgspec.Struct, frozen=True):
    """States that the shard's records from `first` to `last` are stored: in this object and in the one beside it.

    `records` counts all of them, `lines` those that have a line in this object. `digest` covers the sequence numbers of
    the latter, with the subsequence numbers of records from aggregates. Kinesis never changes a record, so its numbers
    identify its content.
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
        numbers = lines.numbers(start, stop)
        return cls(
            stream=lines.stream,
            shard=lines.shard,
            first=lines.sequences[start],
            last=lines.sequences[stop - 1],
            records=str(stop - start),
            lines=str(len(numbers)),
            digest=blake2b("\n".join(numbers).encode(), digest_size=16).hexdigest(),
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
        return found if all(msgspec.structs.astuple(found)) and found.last.isdecimal() else None

    def attributes(self) -> dict[str, str]:
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]
