"""How far behind each shard is, for a gauge that is read when the metrics are exported.

A gauge that is set keeps its last value for ever: the lag of a shard that another worker reads by now, or of a
consumer that was closed. This one is observed, so that it has values only for the shards of the last samples.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

__all__ = ["ShardLags", "StreamShard"]

#: Seconds after which a sample is overdue: one comes each second, unless the event loop is blocked.
OVERDUE_SECONDS: Final = 2.0


class StreamShard(NamedTuple):
    """A shard, named with its stream."""

    stream: str
    shard: str


class ShardLags:
    """The lags of the last sample of each consumer.

    The exporter's thread reads them. While the event loop is blocked no sample comes, and nothing is read or processed:
    so the lags grow with the age of the sample.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: dict[Hashable, tuple[float, Mapping[StreamShard, float]]] = {}

    def replace(self, owner: Hashable, lags: Mapping[StreamShard, float]) -> None:
        """Keep a consumer's lags in seconds. An empty mapping, after its last sample, removes it."""
        if lags:
            self._samples[owner] = self._clock(), lags
        else:
            self._samples.pop(owner, None)

    def read(self) -> dict[StreamShard, float]:
        """Return the present lags, in seconds."""
        now = self._clock()
        present: dict[StreamShard, float] = {}
        for sampled_at, lags in list(self._samples.values()):
            age = now - sampled_at
            overdue = age if age > OVERDUE_SECONDS else 0.0
            for place, lag in lags.items():
                present[place] = max(present.get(place, 0.0), lag + overdue)
        return present
