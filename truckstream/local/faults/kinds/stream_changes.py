"""Faults of the stream: it is resharded, deleted or recreated while clients use it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from truckstream.local.faults.kinds.kind import StreamKind

if TYPE_CHECKING:
    from random import Random

    from truckstream.local.faults.kinds.kind import FaultOptions
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["KINDS"]

_SHARDS: Final = frozenset({"shards"})


class _Split(StreamKind, frozen=True):
    def change(
        self, options: FaultOptions, random: Random, account: KinesisAccount, stream: Stream, now: float
    ) -> bool:
        wide = [shard for shard in _selected(options, stream) if shard.hash_range.start + 1 < _middle(shard)]
        if not wide:
            return False
        shard = random.choice(wide)
        stream.split(shard, _middle(shard), now)
        account.changing(stream, now)
        return True


class _Merge(StreamKind, frozen=True):
    def change(
        self, options: FaultOptions, random: Random, account: KinesisAccount, stream: Stream, now: float
    ) -> bool:
        selected = _selected(options, stream)
        pairs = [(low, high) for low, high in pairwise(selected) if low.hash_range.end + 1 == high.hash_range.start]
        if not pairs:
            return False
        stream.merge(*random.choice(pairs), now)
        account.changing(stream, now)
        return True


class _Delete(StreamKind, frozen=True):
    def change(
        self, options: FaultOptions, random: Random, account: KinesisAccount, stream: Stream, now: float
    ) -> bool:
        stream.transition("DELETING", now + account.transition_seconds)
        return True


class _Recreate(StreamKind, frozen=True):
    def change(
        self, options: FaultOptions, random: Random, account: KinesisAccount, stream: Stream, now: float
    ) -> bool:
        count = len(stream.open_shards)
        stream.transition("DELETING", now)
        account.known(stream.name, now)  # completes the deletion
        account.create(stream.name, count, stream.mode, now)
        return True


def _selected(options: FaultOptions, stream: Stream) -> list[LocalShard]:
    return [shard for shard in stream.open_shards if not options.shards or shard.shard_id in options.shards]


def _middle(shard: LocalShard) -> int:
    return (shard.hash_range.start + shard.hash_range.end + 1) // 2


KINDS: Final = (
    _Split(
        "split",
        "A shard is split in its middle.",
        "Its shard map is out of date: records go to shards that are not in it.",
        _SHARDS,
    ),
    _Merge(
        "merge",
        "Two neighbouring shards become one.",
        "Its shard map is out of date, and two quotas have become one.",
        _SHARDS,
    ),
    _Delete(
        "delete",
        "The stream is deleted.",
        "ResourceNotFoundException from now on.",
    ),
    _Recreate(
        "recreate",
        "The stream is deleted and created again with as many shards.",
        "Its shard map and iterators are invalid, and the records that it wrote are gone.",
    ),
)
