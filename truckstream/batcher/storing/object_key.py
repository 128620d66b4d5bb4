"""An object's key: where it lies, and which records it begins with.

    sensor_data/batch_2025-01-15T14-30-25_a1b2c3d4.json
    sensor_data/year=2025/month=01/day=15/hour=14/batch_2025-01-15T14-30-25_a1b2c3d4.json

(or what the object's format ends with, in place of `.json`)

With `event_time` the folders of Hive are those of the time that the object's first record says itself; a record that
says none has that of its arrival. An object is not taken apart for it: its later records may belong to another hour.

The time is when Kinesis took the object's first record, in UTC. The eight letters and digits are the beginning of a
digest of stream, shard, first sequence number and layout version. So the same records have the same key whenever and
wherever they are delivered, which is what exactly-once rests on: a clock, a random number or a request's ID in the
key would make every redelivery a duplicate.

Eight of base32's characters are 40 bits. Two groups that share a second *and* these bits are one in 10¹²; then the
key takes eight characters more (`key(…, length=16)`).
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

from truckstream.batcher.grouping.lines import LAYOUT_VERSION
from truckstream.batcher.reading.event_time import read_event_time

if TYPE_CHECKING:
    from truckstream.batcher.grouping.lines import Strand

__all__ = ["SUFFIX_LENGTHS", "Layout", "object_key"]

Layout = Literal["flat", "hive"]

#: The lengths of a suffix, in the order in which they are tried. 30 bytes of digest make 48 characters.
SUFFIX_LENGTHS: Final = (8, 16, 24, 32)

_FOLDERS: Final[dict[Layout, str]] = {"flat": "", "hive": "year=%Y/month=%m/day=%d/hour=%H/"}


def object_key(
    prefix: str, layout: Layout, strand: Strand, start: int, *, length: int = 8, event_time: str | None = None
) -> str:
    """The key of the object of the group that begins with the strand's record at `start`.

    `prefix` has no slash at its end; `event_time` is the field of the records that tells their hour in place of their
    arrival.
    """
    identity = "\n".join((strand.stream, strand.shard, strand.sequences[start], LAYOUT_VERSION))
    digest = blake2b(identity.encode("utf-8", "backslashreplace"), digest_size=30).digest()
    suffix = base64.b32encode(digest).decode().lower()[:length]
    arrival = datetime.fromtimestamp(strand.arrivals[start], UTC)
    hour = (event_time and _event_time(strand, start, event_time)) or arrival
    name = f"{hour.strftime(_FOLDERS[layout])}batch_{arrival:%Y-%m-%dT%H-%M-%S}_{suffix}{strand.format.suffix}"
    return f"{prefix}/{name}" if prefix else name


def _event_time(strand: Strand, start: int, field: str) -> datetime | None:
    """Of the first record that has a line: wherever the group is cut, that is its object's first."""
    first = strand.next_line(start)
    line = strand.lines[first] if first < len(strand) else None
    return None if line is None else read_event_time(line, field)
