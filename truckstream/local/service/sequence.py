"""Sequence numbers: 56 decimal digits, strictly increasing in a shard, and along its parents and children.

The service documents only that they grow and are unique in a stream; clients compare them as integers, store them as
text and sometimes look at their length. So the number has the service's shape and, inside, what this server needs to
find a record without an index: from the highest bit, a version digit, the second that its shard was made, the
record's place in the shard, the shard, and a version digit again.

    2 | 36 bits: epoch of the shard | 112 bits: place | 32 bits: index of the shard | 2

The epoch puts 4.96 x 10^55 before every number of the 2020s. A child's epoch is later than its parents', so that its
numbers are larger than theirs even when a shard lives for less than a second.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["STEP", "Located", "locate", "may_order", "number"]

_VERSION: Final = 2
_SHARD_BITS, _PLACE_BITS, _EPOCH_BITS = 32, 112, 36
_SHARD_SHIFT: Final = 4
_PLACE_SHIFT: Final = _SHARD_SHIFT + _SHARD_BITS
_EPOCH_SHIFT: Final = _PLACE_SHIFT + _PLACE_BITS
_VERSION_SHIFT: Final = _EPOCH_SHIFT + _EPOCH_BITS

#: From one record of a shard to its next.
STEP: Final = 1 << _PLACE_SHIFT


class Located(NamedTuple):
    """What a sequence number says of its record."""

    epoch: int
    shard_index: int
    place: int


def number(epoch: int, shard_index: int, place: int) -> int:
    """The number of the record at `place`, where 0 stands for the shard's own start."""
    return (
        _VERSION << _VERSION_SHIFT
        | epoch << _EPOCH_SHIFT
        | place << _PLACE_SHIFT
        | shard_index << _SHARD_SHIFT
        | _VERSION
    )


def locate(sequence_number: int) -> Located | None:
    """Where a number belongs; None when it is not one of ours."""
    if sequence_number >> _VERSION_SHIFT != _VERSION or sequence_number & 0xF != _VERSION:
        return None
    return Located(
        epoch=sequence_number >> _EPOCH_SHIFT & (1 << _EPOCH_BITS) - 1,
        shard_index=sequence_number >> _SHARD_SHIFT & (1 << _SHARD_BITS) - 1,
        place=sequence_number >> _PLACE_SHIFT & (1 << _PLACE_BITS) - 1,
    )


#: Numbers from here on would be of a shard made in the year 2477: the service takes them for none of its own [rec].
_LAST_EPOCH: Final = 16_025_175_000
#: The service has 63 bits for a record's index in its shard, from this bit down; the bit itself is never set [rec].
_NEVER_SET: Final = 1 << 143
#: Until 2014 numbers had 125 bits, and no version digit at the front.
_OLD_BITS: Final = 125
_OLD_EPOCH_SHIFT: Final = 88


def may_order(sequence_number: int) -> bool:
    """Whether the service takes it for one of its numbers, of whatever stream: it may be a SequenceNumberForOrdering.

    "0", with which the documentation's example begins, is one.
    """
    mask = (1 << _EPOCH_BITS) - 1
    if sequence_number < 1 << _OLD_BITS:
        return (sequence_number >> _OLD_EPOCH_SHIFT & mask) < _LAST_EPOCH
    return (
        sequence_number >> _VERSION_SHIFT == _VERSION
        and sequence_number & 0xF in {1, _VERSION}
        and (sequence_number >> _EPOCH_SHIFT & mask) < _LAST_EPOCH
        and not sequence_number & _NEVER_SET
    )
