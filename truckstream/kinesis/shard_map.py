"""The shard map: from a partition key, or an explicit hash key, to the shard that owns it.

The MD5 of a partition key is its hash key, and each shard owns a range of hash keys. Hash keys are integers of up to
128 bits, which the service writes in decimal.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.limits import MAX_HASH_KEY, MAX_PARTITION_KEY_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Shard", "ShardMap", "check_partition_key", "hash_key_of", "parse_hash_key", "plain_str", "record_hash_key"]


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard and the range of hash keys that it owns, both ends included."""

    shard_id: str
    starting_hash_key: int
    ending_hash_key: int
    #: A closed shard accepts no more records: it was split or merged.
    is_open: bool = True
    #: The shard that was split, or the two that were merged; they may no longer be listed.
    parent_ids: tuple[str, ...] = ()

    def owns(self, hash_key: int) -> bool:
        """Return whether `hash_key` lies in the shard's range."""
        return self.starting_hash_key <= hash_key <= self.ending_hash_key


def plain_str(argument: str, value: object) -> str:
    """Return `value`, perhaps of a subclass of str, as a plain str, whose methods are the text's own.

    Raises:
        InvalidArgumentError: `value` is not a str; the error names `argument`.
    """
    if not isinstance(value, str):
        raise InvalidArgumentError(argument, value, "must be a str")
    return str.__str__(value)


def check_partition_key(partition_key: str) -> bytes:
    """Return the key in UTF-8, as the service counts and hashes it.

    Raises:
        InvalidArgumentError: the key is not a string of 1 to 256 Unicode characters.
    """
    partition_key = plain_str("partition_key", partition_key)
    if not 1 <= len(partition_key) <= MAX_PARTITION_KEY_CHARACTERS:
        rule = f"must have 1 to {MAX_PARTITION_KEY_CHARACTERS} characters, and has {len(partition_key)}"
        raise InvalidArgumentError("partition_key", partition_key, rule)
    try:
        return partition_key.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError("partition_key", partition_key, "must be text that UTF-8 can encode") from error


def hash_key_of(partition_key: bytes) -> int:
    """Return the 128-bit hash key that the service computes for a partition key."""
    return int.from_bytes(hashlib.md5(partition_key, usedforsecurity=False).digest(), "big")


def parse_hash_key(explicit_hash_key: str) -> int:
    """Return the integer that an explicit hash key holds in decimal.

    Raises:
        InvalidArgumentError: it is not a decimal number from 0 to 2**128 - 1 without sign or leading zeros.
    """
    rule = "must be the decimal digits of a number from 0 to 2**128 - 1, as a str"
    if not isinstance(explicit_hash_key, str) or not (explicit_hash_key.isascii() and explicit_hash_key.isdigit()):
        raise InvalidArgumentError("explicit_hash_key", explicit_hash_key, rule)
    leading_zero = explicit_hash_key[0] == "0" and explicit_hash_key != "0"
    if leading_zero or len(explicit_hash_key) > len(str(MAX_HASH_KEY)) or int(explicit_hash_key) > MAX_HASH_KEY:
        raise InvalidArgumentError("explicit_hash_key", explicit_hash_key, rule)
    return int(explicit_hash_key)


def record_hash_key(partition_key: str, explicit_hash_key: str | None) -> int:
    """Return the hash key of a record with these keys, which were checked before."""
    return hash_key_of(partition_key.encode()) if explicit_hash_key is None else int(explicit_hash_key)


class ShardMap:
    """The open shards of a stream by their ranges of hash keys."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self.shards = sorted((shard for shard in shards if shard.is_open), key=lambda shard: shard.starting_hash_key)
        self._starts = [shard.starting_hash_key for shard in self.shards]

    def shard_of(self, hash_key: int) -> Shard | None:
        """Return the open shard that owns `hash_key`; None in the gap that an unfinished reshard can leave."""
        index = bisect_right(self._starts, hash_key) - 1
        if index < 0 or not self.shards[index].owns(hash_key):
            return None
        return self.shards[index]

    def __repr__(self) -> str:
        return f"<ShardMap of {len(self.shards)} open shards>"
