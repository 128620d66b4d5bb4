"""The lines of an event that go to one prefix: those of its valid records, or those of its rejected records.

An event has two `Lines` of equal length. At each record's index one of them has a line and the other None. An object
holds the lines of one of them between two indices.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from truckstream.batcher.formats.json_lines import NDJSON
from truckstream.batcher.formats.stream_fields import Places
from truckstream.batcher.grouping.boundaries import EVERY_INDEX, Boundaries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from truckstream.batcher.formats.format import Format

__all__ = ["Lines"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Lines:
    """A line or None for each record of an event, and the records' places in the stream. The lists run in parallel."""

    stream: str
    shard: str
    sequences: list[str]
    arrivals: list[float]
    lines: list[bytes | None]
    #: Where groups may begin and end.
    boundaries: Boundaries = EVERY_INDEX
    #: Each record's position in its aggregate, None for a record that was not aggregated; None without aggregates.
    subsequences: list[int | None] | None = None
    format: Format = NDJSON
    #: The sequence number of the shard's record before the first one; None if that is unknown.
    previous: str | None = None
    #: The number of user records of each long aggregate, by the indices at which its groups begin.
    long_aggregates: Mapping[int, int] = field(default_factory=dict)
    #: The indices at which there is a line, ascending.
    indices: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        lines = self.lines
        # In nearly every event all records are valid, so one of its two `Lines` has all lines.
        indices = range(len(lines)) if all(lines) else [at for at, line in enumerate(lines) if line is not None]
        object.__setattr__(self, "indices", indices)

    def __len__(self) -> int:
        return len(self.lines)

    def count(self, start: int, stop: int) -> int:
        """Return the number of lines between two indices."""
        return bisect_left(self.indices, stop) - bisect_left(self.indices, start)

    def present(self, start: int, stop: int) -> list[bytes]:
        """Return the lines between two indices, without line ends."""
        return self._pick(self.lines, start, stop)  # type: ignore[arg-type]

    def size(self, start: int, stop: int) -> int:
        """Return the bytes of the lines between two indices, line ends included."""
        present = self.present(start, stop)
        return sum(map(len, present)) + len(present)

    def encode(self, start: int, stop: int) -> bytes:
        """Encode the lines between two indices as an object. There must be at least one."""
        return self.format.encode(self.present(start, stop), self.places(start, stop))

    def text(self, start: int, stop: int) -> bytes:
        """Return a text that identifies the records with a line: a line for each, ended by a line feed."""
        return self.format.text(self.present(start, stop), self.places(start, stop))

    def places(self, start: int, stop: int) -> Places:
        """Return where the records with a line between two indices are in the stream."""
        return Places(
            self.shard,
            self._pick(self.sequences, start, stop),
            None if self.subsequences is None else self._pick(self.subsequences, start, stop),
            self._pick(self.arrivals, start, stop),
        )

    def previous_sequence(self, start: int) -> str | None:
        """Return the sequence number of the shard's record before the one at `start`; None if that is unknown."""
        return self.sequences[start - 1] if start else self.previous

    def part_of_aggregate(self, start: int) -> tuple[int, int] | None:
        """Return where in its aggregate the group from `start` on begins, and how many records the aggregate has.

        None if the group is not a part of one.
        """
        count = self.long_aggregates.get(start)
        position = None if self.subsequences is None else self.subsequences[start]
        return None if count is None or position is None else (position, count)

    def kinesis_records(self, start: int, stop: int) -> int:
        """Return how many records of the stream begin between two indices: an aggregate is one."""
        if self.subsequences is None:
            return stop - start
        return sum(1 for each in self.subsequences[start:stop] if not each)

    def next_line(self, start: int) -> int:
        """Return the index of the first line from `start` on; the number of records if there is none."""
        at = bisect_left(self.indices, start)
        return self.indices[at] if at < len(self.indices) else len(self)

    def after_line(self, start: int, number: int) -> int:
        """Return the index after the `number`th line from `start` on. There must be so many."""
        return self.indices[bisect_left(self.indices, start) + number - 1] + 1

    def _pick(self, column: list[_T], start: int, stop: int) -> list[_T]:
        """Return a column's values for the records with a line."""
        indices = self.indices[bisect_left(self.indices, start) : bisect_left(self.indices, stop)]
        return column[start:stop] if len(indices) == stop - start else [column[at] for at in indices]
