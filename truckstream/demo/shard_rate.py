"""How full each shard is, from the counts of acknowledgements over time.

Acknowledgements come in steps of up to a hundred records, so a rate between two arbitrary moments would be off by a
step. Rates are taken from step to step: between the first and the last moment of the window at which the count changed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

__all__ = ["ShardGauge"]


@dataclass(slots=True)
class ShardGauge:
    """One shard's count of acknowledged records, sampled."""

    _times: list[float] = field(default_factory=list)
    _counts: list[int] = field(default_factory=list)

    def sample(self, now: float, acked: int) -> None:
        """The count at `now`; times must not decrease."""
        if not self._counts or acked != self._counts[-1]:
            self._times.append(now)
            self._counts.append(acked)

    def rate(self, start: float, end: float) -> float:
        """Records a second between `start` and `end`; 0 when there was less than one step."""
        first, last = bisect_left(self._times, start), bisect_right(self._times, end) - 1
        if last <= first:
            return 0.0
        return (self._counts[last] - self._counts[first]) / (self._times[last] - self._times[first])
