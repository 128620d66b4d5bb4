"""Sequence numbers: 56 decimal digits, strictly increasing in a shard, and along its parents and children.

The service documents only that they grow and are unique in a stream; clients compare them as integers, store them as
text, look at their length, and some read the time in them. So the number has what the service's has, as kinesalite's
author found out, which is also what this server needs to find a record without an index. From the highest bit:

    2 | 36 bits: second its shard was made | 4 bits: shard, its last digit | 64 bits: the record's place in the shard
      | 8 bits: 0 | 36 bits: second it arrived | 32 bits: shard | 2

The first second puts 4.96 x 10^55 before every number of the 2020s. A child is made in a later second than its parents
(`Stream` sees to it), so that its numbers are larger than theirs even when a shard lives for less than a second.
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

#: From one record of a shard to its next.
STEP: Final = 1 << _PLACE_SHIFT

#: Numbers of a shard made in the year 2477 or later are none [rec], see `refusal`.
_LAST_EPOCH: Final = 16_025_175_000
#: A place has 63 bits in fact [rec].
_NEVER_SET: Final = 1 << (_DIGIT_SHIFT - 1)
#: The first numbers of the service had 125 bits: the second at the front, and the shard in the last 16.
_OLD: Final = 1 << 125
_OLD_EPOCH_SHIFT: Final = 88
_OLD_SHARD: Final = 0xFFFF


class Located(NamedTuple):
    """What a sequence number says of its record."""

    epoch: int
    shard_index: int
    place: int


def number(epoch: int, shard_index: int, place: int, second: int = 0) -> int:
    """The number of the record at `place`, which arrived in `second`. Place 0 stands for the shard's own start."""
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
    """What a record's second adds to a number made without."""
    return second << _TIME_SHIFT


def is_sound(sequence_number: int) -> bool:
    """Whether the service takes it for one of its numbers, of whatever stream and of any of its three versions.

    "0", with which the documentation's example of SequenceNumberForOrdering begins, is one.
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
    """Where a number belongs; None when it is no number of the service's. The time in it does not count."""
    if not is_sound(sequence_number):
        return None
    if sequence_number < _OLD:
        return Located(sequence_number >> _OLD_EPOCH_SHIFT, sequence_number & _OLD_SHARD, 0)
    return Located(
        epoch=sequence_number >> _EPOCH_SHIFT & (1 << _SECOND_BITS) - 1,
        shard_index=sequence_number >> _SHARD_SHIFT & (1 << 32) - 1,
        place=sequence_number >> _PLACE_SHIFT & (1 << 64) - 1,
    )
