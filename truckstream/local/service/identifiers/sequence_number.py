"""Sequence numbers: 56 decimal digits that increase strictly within a shard, and from parents to children.

The service documents only that they increase and are unique in a stream. Clients compare them as integers, store them
as text, depend on their length, and some read the time in them. So these numbers have the parts of the service's
numbers, as the author of kinesalite discovered them. They also let this server find a record without an index. From the
highest bit:

    2 | 36 bits: second in which the shard was created | 4 bits: last digit of the shard
      | 64 bits: place of the record in the shard | 8 bits: 0 | 36 bits: second of arrival | 32 bits: shard | 2

The first second makes every number of the 2020s begin at 4.96 x 10^55. A child is created in a later second than its
parents (`Stream` sees to it), so that its numbers are larger than theirs even if a shard lives for less than a second.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["STEP", "Located", "is_sound", "locate", "number", "with_time"]

_VERSION: Final = 2
_SECOND_BITS: Final = 36
_SHARD_SHIFT: Final = 4
_TIME_SHIFT: Final = 36
_PLACE_SHIFT: Final = 80
_DIGIT_SHIFT: Final = 144
_EPOCH_SHIFT: Final = 148
_VERSION_SHIFT: Final = 184

#: Difference between the numbers of two consecutive records of a shard, without their times.
STEP: Final = 1 << _PLACE_SHIFT

#: The service rejects numbers of shards that were created in the year 2477 or later [rec], see `errors`.
_LAST_EPOCH: Final = 16_025_175_000
#: The highest bit of the place is never set [rec].
_NEVER_SET: Final = 1 << (_DIGIT_SHIFT - 1)
#: The first numbers of the service had 125 bits: the second at the front, and the shard in the last 16.
_OLD: Final = 1 << 125
_OLD_EPOCH_SHIFT: Final = 88
_OLD_SHARD: Final = 0xFFFF


class Located(NamedTuple):
    """The position of a record, as its sequence number encodes it."""

    epoch: int
    shard_index: int
    place: int


def number(epoch: int, shard_index: int, place: int, second: int = 0) -> int:
    """Return the number of the record at `place` that arrived in `second`. Place 0 is the start of the shard."""
    return (
        _VERSION << _VERSION_SHIFT
        | epoch << _EPOCH_SHIFT
        | (shard_index & 0xF) << _DIGIT_SHIFT
        | place << _PLACE_SHIFT
        | second << _TIME_SHIFT
        | shard_index << _SHARD_SHIFT
        | _VERSION
    )


def with_time(second: int) -> int:
    """Return the part of a number that encodes the second of arrival."""
    return second << _TIME_SHIFT


def is_sound(sequence_number: int) -> bool:
    """Return whether the service accepts the number, for any stream and in any of its three versions.

    It accepts "0", with which the documentation's example of SequenceNumberForOrdering begins.
    """
    seconds = (1 << _SECOND_BITS) - 1
    if sequence_number < _OLD:
        return (sequence_number >> _OLD_EPOCH_SHIFT & seconds) < _LAST_EPOCH
    return (
        sequence_number >> _VERSION_SHIFT == _VERSION
        and sequence_number & 0xF in {1, _VERSION}
        and (sequence_number >> _EPOCH_SHIFT & seconds) < _LAST_EPOCH
        and not sequence_number & _NEVER_SET
    )


def locate(sequence_number: int) -> Located | None:
    """Return the position that a number encodes, or None if the service would reject it. Its time is ignored."""
    if not is_sound(sequence_number):
        return None
    if sequence_number < _OLD:
        return Located(sequence_number >> _OLD_EPOCH_SHIFT, sequence_number & _OLD_SHARD, 0)
    return Located(
        epoch=sequence_number >> _EPOCH_SHIFT & (1 << _SECOND_BITS) - 1,
        shard_index=sequence_number >> _SHARD_SHIFT & (1 << 32) - 1,
        place=sequence_number >> _PLACE_SHIFT & (1 << 64) - 1,
    )
