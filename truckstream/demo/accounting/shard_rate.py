"""Measure how full a shard is, from its count of acknowledged records over time.

Acknowledgements arrive in steps of up to a hundred records, so a rate between two arbitrary times would be wrong by up
to a step. The rate is therefore taken from step to step: between the first and the last time in the window at which the
count changed. Where each of several windows that follow each other needs its rate, the count between two steps is taken
from the straight line between them, so that no record is left out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

__all__ = ["ShardRateMeter"]


@dataclass(slots=True)
class ShardRateMeter:
    """Samples of one shard's count of acknowledged records."""

    _times: list[float] = field(default_factory=list)
    _counts: list[int] = field(default_factory=list)

    def sample(self, now: float, acked: int) -> None:
        """Add the count at `now`; times must not decrease."""
        if not self._counts or acked != self._counts[-1]:
            self._times.append(now)
            self._counts.append(acked)

    def rate(self, start: float, end: float) -> float:
        """Return the records per second between `start` and `end`; 0 if the count changed less than twice."""
        first, last = bisect_left(self._times, start), bisect_right(self._times, end) - 1
        if last <= first:
            return 0.0
        return (self._counts[last] - self._counts[first]) / (self._times[last] - self._times[first])

    def mean_rate(self, start: float, end: float) -> float:
        """Return the records per second from `start` to `end`, with the count between two steps on a straight line."""
        if end <= start:
            return 0.0
        return (self._count_at(end) - self._count_at(start)) / (end - start)

    def _count_at(self, time: float) -> float:
        after = bisect_left(self._times, time)
        if after == len(self._times):
            return self._counts[-1] if self._counts else 0.0
        if after == 0:
            return self._counts[0]
        times, counts = self._times[after - 1 : after + 1], self._counts[after - 1 : after + 1]
        return counts[0] + (counts[1] - counts[0]) * (time - times[0]) / (times[1] - times[0])
