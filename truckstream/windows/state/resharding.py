"""Which child of a reshard takes over which groups.

A truck's records go to the child that owns the hash key of its partition key, and so does its group. If a record was
put with an explicit hash key, a reader does not learn it. The hash key of the partition key may then lie outside of
the parent's range. Such a group goes to the child at that end of the range, so that exactly one child has it: at
worst, the result has two parts.
"""

from __future__ import annotations

from truckstream.kinesis.limits import MAX_HASH_KEY
from truckstream.kinesis.shard_map import record_hash_key

__all__ = ["HashRange", "belongs_to"]

#: Both ends included.
HashRange = tuple[int, int]


def belongs_to(
    child: HashRange | None, parent: HashRange | None, partition_key: str, explicit_hash_key: str | None
) -> bool:
    """Return whether `child` takes over a group of `parent`. A range that nobody knows is that of all hash keys."""
    low, high = child or (0, MAX_HASH_KEY)
    least, greatest = parent or (0, MAX_HASH_KEY)
    hash_key = record_hash_key(partition_key, explicit_hash_key) if partition_key or explicit_hash_key else least
    return low <= min(max(hash_key, least), greatest) <= high
