"""The lines of one delivery that go to one place, and what an object of some of them says of itself.

A delivery has two strands of equal length: the valid records' lines, and the refused records' lines. At each index
one of them has a line and the other None. An object holds the lines of a strand between two indices.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeVar

from truckstream.batcher.formats.json_lines import NDJSON, Format
from truckstream.batcher.grouping.edges import EVERYWHERE, Edges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LAYOUT_VERSION", "Claim", "Strand"]

_T = TypeVar("_T")

#: Part of every key and claim: objects of another way of cutting or encoding are never taken for our own.
LAYOUT_VERSION: Final = "1"

_NAMES: Final = {
    "stream": "stream",
    "shard": "shard",
    "first": "first-sequence-number",
    "last": "last-sequence-number",
    "records": "records",
    "lines": "lines",
    "digest": "digest",
    "layout": "layout-version",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """What an object's metadata says: the records from `first` to `last` of a shard are dealt with here.

    `records` counts all of them, `lines` those that have a line in this object; `digest` is over the sequence
    numbers of these, and the subsequence numbers of those from aggregates. Kinesis never changes a record, so numbers
    stand for contents.
    """

    stream: str
    shard: str
    first: str
    last: str
    records: str
    lines: str
    digest: str
    layout: str = LAYOUT_VERSION

    def to_metadata(self) -> dict[str, str]:
        return {name: getattr(self, field) for field, name in _NAMES.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Claim | None:
        """The claim, or None where the store keeps no metadata or somebody else made the object."""
        found = {field: metadata.get(name, "") for field, name in _NAMES.items()}
        return cls(**found) if all(found.values()) and found["last"].isdecimal() else None


@dataclass(frozen=True, slots=True)
class Strand:
    """One of a delivery's two strands."""

    stream: str
    shard: str
    sequences: list[str]
    arrivals: list[float]
    lines: list[bytes | None]
    #: Where the delivery may be cut.
    edges: Edges = EVERYWHERE
    #: Each record's place in its aggregate, if there are aggregates.
    subsequences: list[int | None] | None = None
    format: Format = NDJSON
    #: The indices at which there is a line, ascending.
    places: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        lines = self.lines
        # In nearly every delivery all lines are in one strand.
        places = range(len(lines)) if all(lines) else [at for at, line in enumerate(lines) if line is not None]
        object.__setattr__(self, "places", places)

    def __len__(self) -> int:
        return len(self.lines)

    def count(self, start: int, stop: int) -> int:
        """How many lines there are between two indices."""
        return bisect_left(self.places, stop) - bisect_left(self.places, start)

    def body(self, start: int, stop: int) -> bytes:
        """The object of the lines between two indices; at least one must be there."""
        return self.format.encode(self._present(start, stop), self._numbers(start, stop))

    def text(self, start: int, stop: int) -> bytes:
        """What tells these lines from all others, each ended by a line feed."""
        return self.format.text(self._present(start, stop), self._numbers(start, stop))

    def size(self, start: int, stop: int) -> int:
        """The bytes of the lines and their ends."""
        present = self._present(start, stop)
        return sum(map(len, present)) + len(present)

    def _present(self, start: int, stop: int) -> list[bytes]:
        return self._pick(self.lines, start, stop)  # type: ignore[arg-type]

    def _pick(self, column: list[_T], start: int, stop: int) -> list[_T]:
        """What a column has where there is a line."""
        places = self.places[bisect_left(self.places, start) : bisect_left(self.places, stop)]
        return column[start:stop] if len(places) == stop - start else [column[at] for at in places]

    def claim(self, start: int, stop: int) -> Claim:
        numbers = self._numbers(start, stop)
        return Claim(
            stream=self.stream,
            shard=self.shard,
            first=self.sequences[start],
            last=self.sequences[stop - 1],
            records=str(stop - start),
            lines=str(len(numbers)),
            digest=blake2b("\n".join(numbers).encode(), digest_size=16).hexdigest(),
            layout=LAYOUT_VERSION + self.format.layout,
        )

    def _numbers(self, start: int, stop: int) -> list[str]:
        sequences = self._pick(self.sequences, start, stop)
        if self.subsequences is None:
            return sequences
        pairs = zip(sequences, self._pick(self.subsequences, start, stop), strict=True)
        return [sequence if sub is None else f"{sequence}:{sub}" for sequence, sub in pairs]

    def next_line(self, start: int) -> int:
        """The index of the first line from `start` on; the strand's length if there is none."""
        at = bisect_left(self.places, start)
        return self.places[at] if at < len(self.places) else len(self)

    def after_line(self, start: int, number: int) -> int:
        """The index after the `number`th line from `start` on."""
        at = bisect_left(self.places, start) + number - 1
        return self.places[at] + 1 if at < len(self.places) else len(self)
