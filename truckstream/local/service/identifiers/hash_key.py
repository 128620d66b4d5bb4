"""Partition key -> hash key -> shard.

"An MD5 hash function is used to map partition keys to 128-bit integer values" (API, PutRecords).
"""

from __future__ import annotations

from hashlib import md5
from typing import NamedTuple

from truckstream.local.service.quotas.limits import HASH_KEY_MAX

__all__ = ["HashRange", "even_ranges", "hash_of"]


class HashRange(NamedTuple):
    """The hash keys of a shard, both ends included."""

    start: int
    end: int


def hash_of(partition_key: str) -> int:
    """The hash key of a partition key."""
    return int.from_bytes(md5(partition_key.encode(), usedforsecurity=False).digest(), "big")


def even_ranges(count: int) -> list[HashRange]:
    """The whole space in `count` ranges of one size; the last takes what division leaves."""
    size = (HASH_KEY_MAX + 1) // count
    starts = [size * number for number in range(count)]
    ends = [start - 1 for start in starts[1:]] + [HASH_KEY_MAX]
    return [HashRange(start, end) for start, end in zip(starts, ends, strict=True)]
