"""Faults that come, grow, are repaired and go.

A truck has at most one fault at a time. Its severity rises in a straight line to a peak between 0.3 and 1, stays
there until the driver has help, and falls quickly while it is repaired. What a severity does to the signals is in
`truck.py`; 0.6 is about where a signal crosses its warning limit, and 0.85 where it crosses the urgent one.

The times below make a fault rare and visible: with 6 hours between two faults and about 36 minutes of one, 9 trucks
in 100 have a fault and 2 of those warn. So a demo with 100 trucks shows warnings from its first second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from random import Random

__all__ = ["DEFECTS", "DefectKind", "TruckDefect"]

DefectKind = Literal[
    "leaking tyre",
    "overheating",
    "slipping transmission",
    "dragging brakes",
    "dying battery",
    "oil loss",
    "unbalanced wheel",
]

#: Each fault, and the minutes it takes to grow to its full severity.
DEFECTS: Final[tuple[tuple[DefectKind, float], ...]] = (
    ("leaking tyre", 40.0),
    ("overheating", 25.0),
    ("slipping transmission", 30.0),
    ("dragging brakes", 30.0),
    ("dying battery", 60.0),
    ("oil loss", 45.0),
    ("unbalanced wheel", 30.0),
)

HOURS_BETWEEN: Final = 6.0
LOWEST_PEAK: Final = 0.3
HELP_MINUTES: Final = 10.0
REPAIR_MINUTES: Final = 3.0
#: Of all trucks, the share that has a fault at any moment: the mean life of a fault over the mean cycle.
SHARE_WITH_FAULT: Final = 0.09


class TruckDefect:
    """What is wrong with one truck. `trouble` is None for a sound one; `severity` lies between 0 and 1."""

    __slots__ = ("_growth", "_help", "_peak", "_quiet", "_random", "severity", "trouble", "wheel")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._help = self._growth = self._peak = 0.0
        self.trouble: DefectKind | None = None
        self.severity = 0.0
        #: The wheel that a leaking tyre is on: 0 to 3 for front left, front right, rear left, rear right.
        self.wheel = 0
        self._quiet = random.expovariate(1.0 / (HOURS_BETWEEN * 3600.0))
        if random.random() < SHARE_WITH_FAULT:
            self._begin()
            self._grow(random.random() * (self._peak / self._growth + self._help))

    def advance(self, seconds: float) -> None:
        if self.trouble is None:
            self._quiet -= seconds
            if self._quiet <= 0.0:
                self._begin()
        elif self._help > 0.0:
            self._grow(seconds)
        else:
            self.severity -= seconds / (REPAIR_MINUTES * 60.0)
            if self.severity <= 0.0:
                self.repair()

    def repair(self) -> None:
        """Make the truck sound, and draw the time until its next fault."""
        self.trouble = None
        self.severity = 0.0
        self._quiet = self._random.expovariate(1.0 / (HOURS_BETWEEN * 3600.0))

    def _begin(self) -> None:
        random = self._random
        self.trouble, minutes = random.choice(DEFECTS)
        self.wheel = random.randrange(4)
        self.severity = 0.0
        self._peak = random.uniform(LOWEST_PEAK, 1.0)
        self._growth = 1.0 / (minutes * 60.0)
        self._help = HELP_MINUTES * 60.0

    def _grow(self, seconds: float) -> None:
        if self.severity < self._peak:
            self.severity = min(self._peak, self.severity + seconds * self._growth)
        else:
            self._help -= seconds
