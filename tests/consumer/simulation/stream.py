"""A stream on virtual time: a record a second in each open shard, splits and merges."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from truckstream.kinesis.limits import MAX_HASH_KEY
from truckstream.kinesis.reading.shard_record import ChildShard
from truckstream.kinesis.shard_map import Shard


@dataclass
class SimulatedShard:
    shard: Shard
    opened_at: float
    closed_at: float | None = None

    def records(self, now: float) -> int:
        """The number of records until now; the first is 1."""
        return int((now if self.closed_at is None else self.closed_at) - self.opened_at)


class SimulatedStream:
    def __init__(self, shards: int) -> None:
        self.shards: dict[str, SimulatedShard] = {}
        width = (MAX_HASH_KEY + 1) // shards
        for number in range(shards):
            end = MAX_HASH_KEY if number == shards - 1 else (number + 1) * width - 1
            self._open(number * width, end, (), 0.0)

    def _open(self, start: int, end: int, parents: tuple[str, ...], now: float) -> None:
        name = f"shardId-{len(self.shards):012d}"
        self.shards[name] = SimulatedShard(Shard(name, start, end, parent_ids=parents), now)

    @property
    def open_shards(self) -> list[Shard]:
        found = (each.shard for each in self.shards.values() if each.closed_at is None)
        return sorted(found, key=lambda shard: shard.starting_hash_key)

    def split(self, shard: Shard, now: float) -> None:
        self._close(shard, now)
        middle = (shard.starting_hash_key + shard.ending_hash_key) // 2
        self._open(shard.starting_hash_key, middle, (shard.shard_id,), now)
        self._open(middle + 1, shard.ending_hash_key, (shard.shard_id,), now)

    def merge(self, left: Shard, right: Shard, now: float) -> None:
        self._close(left, now)
        self._close(right, now)
        self._open(left.starting_hash_key, right.ending_hash_key, (left.shard_id, right.shard_id), now)

    def _close(self, shard: Shard, now: float) -> None:
        self.shards[shard.shard_id].closed_at = now
        self.shards[shard.shard_id].shard = replace(shard, is_open=False)

    def children(self, shard_id: str) -> list[ChildShard]:
        return [
            ChildShard(
                shard_id=shard.shard_id,
                parent_ids=shard.parent_ids,
                starting_hash_key=shard.starting_hash_key,
                ending_hash_key=shard.ending_hash_key,
            )
            for shard in (each.shard for each in self.shards.values())
            if shard_id in shard.parent_ids
        ]

    async def list_shards(self) -> dict[None, list[Shard]]:
        found = [each.shard for each in self.shards.values()]
        await asyncio.sleep(0.05)
        return {None: found}
