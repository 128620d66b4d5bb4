"""Hash keys of partition keys, and the hash key ranges of shards.

"An MD5 hash function is used to map partition keys to 128-bit integer values" (API, PutRecords).
"""

from __future__ import annotations

from hashlib import md5
from typing import NamedTuple

from truckstream.local.service.quotas.limits import HASH_KEY_MAX

__all__ = ["HashRange", "even_ranges", "hash_of"]


class HashRange(NamedTuple):
    """The hash keys of a shard, from `start` to `end` inclusive."""

    start: int
    end: int


def hash_of(partition_key: str) -> int:
    """Return the hash key of a partition key."""
    return int.from_bytes(md5(partition_key.encode(), usedforsecurity=False).digest(), "big")


def even_ranges(count: int) -> list[HashRange]:
    """Divide all hash keys into `count` ranges of equal size; the last one takes the remainder."""
    size = (HASH_KEY_MAX + 1) // count
    starts = [size * number for number in range(count)]
    ends = [start - 1 for start in starts[1:]] + [HASH_KEY_MAX]
    return [HashRange(start, end) for start, end in zip(starts, ends, strict=True)]
