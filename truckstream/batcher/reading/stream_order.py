"""The order of an event's records, whatever their sequence numbers are.

Lambda promises ascending numbers, one for each record. Real streams and stand-ins of Kinesis have been seen to break
each part of that. None of it may fail the event, because Lambda would deliver the same event again until its records
expire. Three rules suffice:

- **Not in order**: the records are sorted, because Lambda delivers again everything *from the lowest failed number on*.
- **Repeated**: records with one number are all kept, in the order of the event, and no group begins between them: for
  Lambda they are one place in the stream, like the user records of an aggregate.
- **Missing, or no number**: such a record is rejected. It takes the number of the record before it in the event, so
  that it is stored and delivered again together with that record. At the beginning of an event it takes 0, a number
  that no record has: if it cannot be stored, the batcher reports 0, and Lambda delivers the whole event again. With
  the number of the record after it, Lambda would take it for stored.
"""

from __future__ import annotations

from itertools import islice
from operator import lt
from typing import TYPE_CHECKING, Final

from truckstream.batcher.grouping.boundaries import EVERY_INDEX, Boundaries

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["boundaries_between", "complete_numbers", "is_in_order", "is_sequence_number"]

#: The most digits of a sequence number, as the API reference of Kinesis states it.
MOST_DIGITS: Final = 129

#: The number of records that have none, and no record with a number before them.
_NO_NUMBER: Final = "0"


def is_sequence_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS


def is_in_order(numbers: Sequence[str]) -> bool:
    """True for nearly every event: all are numbers, and each is greater than the one before.

    Strings of one length compare as their numbers do, and much faster. Numbers of different lengths need another look.
    """
    lengths = set(map(len, numbers))
    # As bytes, because bytes.isdigit accepts ASCII digits only and takes a fifth of the time of str.isdigit.
    are_digits = "".join(numbers).encode("utf-8", "replace").isdigit() and max(lengths) <= MOST_DIGITS
    return are_digits and len(lengths) == 1 and all(map(lt, numbers, islice(numbers, 1, None)))


def complete_numbers(numbers: Sequence[str]) -> list[str]:
    """Return the numbers of all records. A record without a number takes that of the record before it."""
    number = _NO_NUMBER
    completed = []
    for each in numbers:
        number = each if is_sequence_number(each) else number
        completed.append(number)
    return completed


def boundaries_between(numbers: Sequence[int]) -> Boundaries:
    """Return the boundaries of records in order: none between two records with the same number."""
    if len(set(numbers)) == len(numbers):
        return EVERY_INDEX
    changes = [at for at in range(1, len(numbers)) if numbers[at] != numbers[at - 1]]
    return Boundaries([0, *changes, len(numbers)])
