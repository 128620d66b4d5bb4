"""A truck's defects: they appear, grow, are repaired and disappear.

A truck has at most one defect at a time. Its severity rises linearly to a peak between 0.3 and 1, stays there until the
driver gets help, and falls quickly while the defect is repaired. `truck.py` defines what a severity does to the
signals: at about 0.6 a signal crosses its warning limit, and at about 0.85 the urgent one.

The times below make a defect rare but visible: with 6 hours between two defects and about 36 minutes of each, 9 trucks
in 100 have a defect and 2 of those warn. So a demo with 100 trucks shows warnings from its first second.
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

#: Each kind of defect, and the minutes it takes to grow to its full severity.
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
#: The share of all trucks that have a defect at any moment: a defect's mean duration over the mean cycle.
SHARE_WITH_DEFECT: Final = 0.09


class TruckDefect:
    """One truck's present defect. `kind` is None for a sound truck; `severity` lies between 0 and 1."""

    __slots__ = ("_growth", "_peak", "_random", "_until_help", "_until_next", "kind", "severity", "wheel")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._until_help = self._growth = self._peak = 0.0
        self.kind: DefectKind | None = None
        self.severity = 0.0
        #: The wheel of a leaking tyre: 0 to 3 for front left, front right, rear left, rear right.
        self.wheel = 0
        self._until_next = random.expovariate(1.0 / (HOURS_BETWEEN * 3600.0))
        if random.random() < SHARE_WITH_DEFECT:
            self._begin()
            self._grow(random.random() * (self._peak / self._growth + self._until_help))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if self.kind is None:
            self._until_next -= seconds
            if self._until_next <= 0.0:
                self._begin()
        elif self._until_help > 0.0:
            self._grow(seconds)
        else:
            self.severity -= seconds / (REPAIR_MINUTES * 60.0)
            if self.severity <= 0.0:
                self.repair()

    def repair(self) -> None:
        """Make the truck sound, and draw the time until its next defect."""
        self.kind = None
        self.severity = 0.0
        self._until_next = self._random.expovariate(1.0 / (HOURS_BETWEEN * 3600.0))

    def _begin(self) -> None:
        random = self._random
        self.kind, minutes = random.choice(DEFECTS)
        self.wheel = random.randrange(4)
        self.severity = 0.0
        self._peak = random.uniform(LOWEST_PEAK, 1.0)
        self._growth = 1.0 / (minutes * 60.0)
        self._until_help = HELP_MINUTES * 60.0

    def _grow(self, seconds: float) -> None:
        if self.severity < self._peak:
            self.severity = min(self._peak, self.severity + seconds * self._growth)
        else:
            self._until_help -= seconds
