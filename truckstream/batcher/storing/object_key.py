"""An object's key: a prefix, the time, and a digest that identifies the object's first record.

    sensor_data/batch_2025-01-15T14-30-25_a1b2c3d4.json
    sensor_data/year=2025/month=01/day=15/hour=14/batch_2025-01-15T14-30-25_a1b2c3d4.json

The format decides the end of the key (`.json` here).

The time is when Kinesis stored the object's first record, in UTC. The eight letters and digits begin a digest of the
stream, the shard, the first sequence number and the layout version. So the same records have the same key whenever and
wherever they are delivered. Exactly-once depends on that: with a clock, a random number or a request's ID in the key,
every redelivery would make a duplicate. An aggregate of very many records makes several objects; the digest of each but
the first also covers the subsequence number of its first record.

With `event_time` the hive folders are those of the time in the object's first line, or of the arrival if that line has
no time within a day of the arrival. An object is not divided for it: its later records may belong to another hour.

Eight characters of base32 are 40 bits. That two groups share both a second and these bits has a chance of 1 in 10¹²;
then the key gets eight characters more, and so on. More often, objects under these keys begin with the same record and
hold other records after it: the schema was changed, or the stream repeats sequence numbers and delivers them
differently. The last key also follows from the object's metadata. No other group has it, so none is left without a key.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from truckstream.batcher.storing.event_time import read_event_time
from truckstream.batcher.storing.object_metadata import LAYOUT_VERSION, ObjectMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.batcher.grouping.lines import Lines

__all__ = ["SUFFIX_LENGTHS", "KeyScheme", "Layout"]

Layout = Literal["flat", "hive"]

#: The lengths of a suffix, in the order in which they are tried. A digest of 30 bytes makes 48 characters.
SUFFIX_LENGTHS: Final = (8, 16, 24, 32)

_FOLDERS: Final[dict[Layout, str]] = {"flat": "", "hive": "year=%Y/month=%m/day=%d/hour=%H/"}


class KeyScheme(NamedTuple):
    """Makes the keys of a batcher's valid records, or those of its rejected records."""

    #: Without a slash at its end.
    prefix: str
    layout: Layout
    #: The field of the records whose time decides the hive folders; None for the time of arrival.
    event_time: str | None = None

    def longest_key_bytes(self, suffix: str) -> int:
        """Return the length of the longest key that ends with a format's suffix, in bytes of UTF-8."""
        any_time = datetime(2025, 1, 15, tzinfo=UTC)
        return len(self._place(any_time, any_time, "x" * SUFFIX_LENGTHS[-1] + suffix).encode())

    def keys(self, lines: Lines, start: int, metadata: ObjectMetadata) -> Iterator[str]:
        """Generate the object's keys in the order in which they are tried."""
        for suffix_length in SUFFIX_LENGTHS:
            yield self.key(lines, start, suffix_length)
        yield self.key(lines, start, SUFFIX_LENGTHS[-1], *metadata.attributes().values())

    def key(self, lines: Lines, start: int, suffix_length: int = SUFFIX_LENGTHS[0], *more: str) -> str:
        """Return the key of the object whose first record has the index `start`. It also follows from `more`."""
        identity = "\n".join((lines.stream, lines.shard, _place_in_stream(lines, start), LAYOUT_VERSION, *more))
        digest = blake2b(identity.encode("utf-8", "backslashreplace"), digest_size=30).digest()
        suffix = base64.b32encode(digest).decode().lower()[:suffix_length]
        arrival = datetime.fromtimestamp(lines.arrivals[start], UTC)
        hour = (self.event_time and _event_time(lines, start, self.event_time, arrival)) or arrival
        return self._place(hour, arrival, suffix + lines.format.suffix)

    def _place(self, hour: datetime, arrival: datetime, end: str) -> str:
        name = f"{hour.strftime(_FOLDERS[self.layout])}batch_{arrival:%Y-%m-%dT%H-%M-%S}_{end}"
        return f"{self.prefix}/{name}" if self.prefix else name


def _place_in_stream(lines: Lines, start: int) -> str:
    """Return the sequence number of an object's first record, with its subsequence number inside an aggregate."""
    subsequence = lines.subsequences[start] if lines.subsequences else None
    return f"{lines.sequences[start]}:{subsequence}" if subsequence else lines.sequences[start]


def _event_time(lines: Lines, start: int, field: str, arrival: datetime) -> datetime | None:
    """Return the time in the first line from `start` on, which is the object's first line wherever the group ends."""
    first = lines.next_line(start)
    line = lines.lines[first] if first < len(lines) else None
    return None if line is None else read_event_time(line, field, arrival)
