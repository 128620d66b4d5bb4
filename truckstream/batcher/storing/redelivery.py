"""Recognise a redelivery: decide which of our records an existing object under our key holds.

There are three cases:

1. The object holds our records from `start` up to some index. If our group ends there, the group is stored. If not, an
   earlier delivery was grouped differently, and the object is adopted: its records count as stored.
2. The object holds more records than this event has, and ours are its beginning: `beyond_event`.
3. Anything else is another group's object, a collision: None. Then our object gets another key. If the object is ours
   after all (a changed schema judges the same records differently), this costs a duplicate, never a loss.

The object's metadata decides. The content decides if the store keeps no metadata (a directory), and if the object goes
on after our records, because the metadata cannot show that the object begins with them.

The content shows lines only. After the last line the object may have covered records without a line, or not. If the
content is exactly what we would have written, it counts as just that; else none of these records count as stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from truckstream.batcher.storing.object_metadata import ObjectMetadata

if TYPE_CHECKING:
    from truckstream.batcher.grouping.lines import Lines

__all__ = ["Coverage", "coverage_beyond_event", "coverage_by_content", "coverage_by_metadata"]


class Coverage(NamedTuple):
    """The object holds our records up to the index `stop`, exclusive."""

    stop: int
    #: True if it also holds records after our event's last one.
    beyond_event: bool = False


def coverage_by_metadata(
    lines: Lines, start: int, metadata: ObjectMetadata
) -> Coverage | Literal["read the content"] | None:
    """Return what the metadata shows, or that only the content can show it."""
    if (metadata.stream, metadata.shard, metadata.first) != (lines.stream, lines.shard, lines.sequences[start]):
        return None
    last_of_event = int(lines.sequences[-1])
    if int(metadata.last) > last_of_event:
        return "read the content"
    stop = start + int(metadata.records)
    if stop > len(lines):
        # Only records that repeat our last number can follow it. Otherwise our event lacks records of the object.
        return "read the content" if int(metadata.last) == last_of_event else None
    return Coverage(stop) if ObjectMetadata.of(lines, start, stop) == metadata else None


def coverage_by_content(lines: Lines, start: int, stop: int, content: bytes) -> Coverage | None:
    """Return what the content shows, if our own group ends at `stop`."""
    text = lines.format.read_text(content)
    if text is None or not text.endswith(b"\n"):
        return None
    if text == lines.text(start, stop):
        return Coverage(stop)
    ours = lines.text(start, len(lines))
    if ours.startswith(text):
        count = text.count(b"\n")
        end = lines.boundaries.at_or_after(lines.after_line(start, count))
        # An object holds whole aggregates. An object that ends inside one of ours belongs to another group.
        return Coverage(end) if lines.count(start, end) == count else None
    return Coverage(len(lines), beyond_event=True) if text.startswith(ours) else None


def coverage_beyond_event(lines: Lines, start: int, content: bytes) -> Coverage | None:
    """Return what the content shows, if the metadata states that the object goes on after the event's last record.

    The object may have no more lines than ours: the lines of the records that follow are in the other object.
    """
    text = lines.format.read_text(content)
    if text is None or not text.startswith(lines.text(start, len(lines))):
        return None
    return Coverage(len(lines), beyond_event=True)
