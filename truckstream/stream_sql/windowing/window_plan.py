"""Windows of event time, and the panes that they consist of. All times are microseconds since the epoch.

A window begins at a multiple of `slide` since the epoch and is `length` long; tumbling windows have slide = length. A
pane is as long as the slide. Each record is in one pane, and each pane in `length / slide` windows, so that no record
is kept twice.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SqlWindowPlan"]


@dataclass(frozen=True, slots=True)
class SqlWindowPlan:
    """The windows of a query. `length` is a multiple of `slide`. A window and a pane are named by their start."""

    length: int
    slide: int

    def pane_at(self, time: int) -> int:
        """Return the pane of an event time."""
        return time // self.slide * self.slide

    def windows_of(self, pane: int) -> range:
        """Return the windows that a pane is part of."""
        return range(pane + self.slide - self.length, pane + self.slide, self.slide)

    def panes_of(self, window: int) -> range:
        """Return the panes of a window."""
        return range(window, window + self.length, self.slide)

    def end_of(self, window: int) -> int:
        """Return the end of a window, which is not in it."""
        return window + self.length
