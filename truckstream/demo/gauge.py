"""How full each shard is, from the counts of acknowledgements over time.

Acknowledgements come in steps of up to a hundred records, so a rate between two arbitrary moments would be off by a
step. The steady rate is taken from step to step: between the first and the last moment of the window at which the
count changed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

__all__ = ["ShardGauge"]

#: Seconds that the live rate looks back.
LIVE_SECONDS = 2.0


@dataclass(slots=True)
class ShardGauge:
    """One shard's count of acknowledged records, sampled."""

    _steps: list[tuple[float, int]] = field(default_factory=list)
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def sample(self, now: float, acked: int) -> None:
        """The count at `now`; times must not decrease."""
        if not self._steps or acked != self._steps[-1][1]:
            self._steps.append((now, acked))
        self._recent.append((now, acked))
        while self._recent[0][0] < now - LIVE_SECONDS:
            self._recent.popleft()

    @property
    def live_rate(self) -> float:
        """Records a second of late."""
        (start, before), (end, after) = self._recent[0], self._recent[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def steady_rate(self, start: float, end: float) -> float:
        """Records a second between `start` and `end`; 0 when there was less than one step."""
        window = [step for step in self._steps if start <= step[0] <= end]
        if len(window) < 2:  # noqa: PLR2004 - a rate takes two points
            return 0.0
        (opened, before), (closed, after) = window[0], window[-1]
        return (after - before) / (closed - opened)
