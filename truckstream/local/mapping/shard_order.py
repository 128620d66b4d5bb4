"""Which shards may be read: a child only after its parents.

After a split or a merge the parents' records are older than the children's, and one key's records lie in both. A child
is read when each of its parents is finished, or gone with its last record.

A mapping that starts at LATEST reads the shards that are open at its start from their tip, and none that is closed by
then; what is made later is read from its beginning, because all of it came after the start. At AT_TIMESTAMP each
shard is read from the first record that came at that time or later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.mapping.mapping_settings import StartingPosition
    from truckstream.local.service.state.shard import LocalShard

__all__ = ["Roster"]


class Roster:
    """The shards of a stream, as far as a mapping is with them.

    Args:
        shards: the stream's, closed ones included, at the mapping's start.
        starting_position: where it begins.
        timestamp: of AT_TIMESTAMP.
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
        """The shards to read from now on, each with the place to begin at. They count as started."""
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
        """A closed shard whose records are all settled."""
        self._started.add(shard_id)
        self._finished.add(shard_id)

    def is_finished(self, shard_id: str) -> bool:
        return shard_id in self._finished
