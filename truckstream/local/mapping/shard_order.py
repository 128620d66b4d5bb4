"""Decides which shards may be read: a child shard only after its parents.

After a split or a merge, the parents' records are older than the children's, and the records of one key can be in both.
A child is read when each of its parents is finished, or was removed with its last record.

A mapping that starts at LATEST reads the shards that are open at its start from their tip, and none that is closed by
then. Shards that are created later are read from their beginning, because all of their records came after the start. At
AT_TIMESTAMP, each shard is read from the first record that arrived at that time or later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.mapping.mapping_settings import StartingPosition
    from truckstream.local.service.state.shard import LocalShard

__all__ = ["ShardOrder"]


class ShardOrder:
    """The shards of a stream that a mapping has started and finished.

    Args:
        shards: the stream's shards at the mapping's start, including closed ones.
        starting_position: where the mapping starts.
        timestamp: the time for AT_TIMESTAMP.
    """

    def __init__(
        self, shards: Iterable[LocalShard], starting_position: StartingPosition, timestamp: float | None = None
    ) -> None:
        self._timestamp = timestamp
        self._started: set[str] = set()
        self._finished: set[str] = set()
        self._tips: dict[str, int] = {}
        if starting_position == "LATEST":
            for shard in shards:
                if shard.is_open:
                    self._tips[shard.shard_id] = shard.next_place
                else:
                    self.finish(shard.shard_id)

    def start_ready(self, shards: Iterable[LocalShard]) -> list[tuple[LocalShard, int]]:
        """Return the shards that may be read now and were not started yet, each with the place to start at."""
        present = {shard.shard_id: shard for shard in shards}
        ready = [
            (shard, self._tips.get(shard_id, self._first_place(shard)))
            for shard_id, shard in present.items()
            if shard_id not in self._started
            and all(parent in self._finished or parent not in present for parent in shard.parents)
        ]
        self._started.update(shard.shard_id for shard, _ in ready)
        return ready

    def _first_place(self, shard: LocalShard) -> int:
        return shard.first_place if self._timestamp is None else shard.place_at(self._timestamp)

    def finish(self, shard_id: str) -> None:
        """Mark a closed shard as finished: all of its records are processed or discarded."""
        self._started.add(shard_id)
        self._finished.add(shard_id)

    def is_finished(self, shard_id: str) -> bool:
        return shard_id in self._finished
