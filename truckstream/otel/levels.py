"""Up-down counters that several producers or consumers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from truckstream.otel.series import Series

__all__ = ["Level", "Levels"]

#: The name of an up-down counter, and the shard if it is counted by shard.
Level = tuple[str, str | None]


class Levels:
    """Moves up-down counters from one sample to the next.

    A counter is the sum of the shares of all producers, or consumers, that one observer watches.
    """

    def __init__(self, series: Series) -> None:
        self._series = series
        self._shares: dict[Hashable, Mapping[Level, int]] = {}

    def move(self, owner: Hashable, stream: str, share: Mapping[Level, int]) -> None:
        """Replace the share that `owner` had. An empty one, after its last sample, removes it."""
        before = self._shares.pop(owner, {})
        for level in {**before, **share}:
            if change := share.get(level, 0) - before.get(level, 0):
                name, shard = level
                self._series.add(name, change, stream, shard=shard)
        if share:
            self._shares[owner] = share
