"""Whose object is this? What to make of an object that lies where ours should.

Three answers, from the records that we hold and what the object says of itself:

1. It holds our records from `start` up to some index: `Held`. If that is where our group ends, the group is done; if
   not, an earlier delivery was cut elsewhere, and the object is adopted: its records are committed.
2. It holds more records than this delivery has, and ours are its beginning: `Held` to the delivery's end, `open`.
3. Anything else is another group's object, a collision: None. Then ours is stored under a longer key. A collision
   that is none (a changed schema judges the same records differently) costs a duplicate, never a loss.

What it says of itself is its metadata. A store that keeps none (a directory) is asked for the content, and so is an
object that goes on after our records: metadata cannot show that it begins with them.

The content shows the lines alone. After the last of them the object may or may not have covered records without a
line. If it is just what we would have written, it is taken for just that; else the answer claims none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from truckstream.batcher.grouping.lines import Claim, Strand

__all__ = ["Held", "judge_claim", "judge_content", "judge_open"]


@dataclass(frozen=True, slots=True)
class Held:
    """The object holds our records up to `stop`, exclusive."""

    stop: int
    #: True if it holds records after our delivery's last.
    open: bool = False


def judge_claim(strand: Strand, start: int, claim: Claim) -> Held | Literal["read"] | None:
    """The answer from the metadata; "read" if only the content can tell."""
    if (claim.stream, claim.shard, claim.first) != (strand.stream, strand.shard, strand.sequences[start]):
        return None
    if int(claim.last) > int(strand.sequences[-1]):
        return "read"
    stop = _index_after(strand, start, claim.last)
    return Held(stop) if stop is not None and strand.claim(start, stop) == claim else None


def judge_content(strand: Strand, start: int, stop: int, content: bytes) -> Held | None:
    """The answer from the content, where we would have stored the lines up to `stop`."""
    text = strand.format.read_text(content)
    if text is None or not text.endswith(b"\n"):
        return None
    if text == strand.text(start, stop):
        return Held(stop)
    ours = strand.text(start, len(strand))
    if ours.startswith(text):
        lines = text.count(b"\n")
        end = strand.edges.at_or_after(strand.after_line(start, lines))
        # An object holds whole aggregates. One that ends inside one of ours is another's.
        return Held(end) if strand.count(start, end) == lines else None
    return Held(len(strand), open=True) if text.startswith(ours) else None


def judge_open(strand: Strand, start: int, content: bytes) -> Held | None:
    """The answer from the content, where the metadata says that the object goes on after the delivery's last record.

    Then it is open even if it has no more lines than ours: those of the records that follow are in the other object.
    """
    text = strand.format.read_text(content)
    if text is None or not text.startswith(strand.text(start, len(strand))):
        return None
    return Held(len(strand), open=True)


def _index_after(strand: Strand, start: int, last: str) -> int | None:
    try:
        return strand.edges.at_or_after(strand.sequences.index(last, start) + 1)
    except ValueError:
        return None
