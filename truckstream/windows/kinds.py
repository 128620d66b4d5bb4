"""The kinds of windows: tumbling, sliding and session windows, with Flink's and Beam's meanings.

A window includes its start and excludes its end. Tumbling and sliding windows begin at multiples of their step since
the epoch, so those of all trucks, and of all programs, begin at the same times.
"""

from __future__ import annotations

from dataclasses import dataclass

from truckstream.checks import check_number
from truckstream.errors import InvalidArgumentError

__all__ = ["MICROS", "Session", "Sliding", "Tumbling", "WindowKind", "micros"]

#: Event times are whole microseconds since the epoch, as in DuckDB: 0.1 s as a float would put a record on a boundary
#: into the wrong window.
MICROS = 1_000_000


def micros(seconds: float) -> int:
    """Return seconds as whole microseconds."""
    return round(seconds * MICROS)


@dataclass(frozen=True, slots=True)
class Tumbling:
    """Windows of `size` seconds, one after the other. Each record is in one window."""

    size: float

    def __post_init__(self) -> None:
        check_number("size", self.size, 0.001, 1e9)


@dataclass(frozen=True, slots=True)
class Sliding:
    """Windows of `size` seconds that begin every `every` seconds, also called hopping windows.

    Each record is in `size / every` windows, so this costs as many times the memory and the work of `Tumbling`.
    """

    size: float
    every: float

    def __post_init__(self) -> None:
        check_number("size", self.size, 0.001, 1e9)
        check_number("every", self.every, 0.001, self.size)
        if micros(self.size) % micros(self.every):
            rule = f"must divide size, which is {self.size}: else records would be in different numbers of windows"
            raise InvalidArgumentError("every", self.every, rule)


@dataclass(frozen=True, slots=True)
class Session:
    """Windows that end when a key has no record for `gap` seconds, one window for each trip of a truck, for example.

    A session begins with its first record, and ends `gap` after its last one. A late record may join two sessions.
    """

    gap: float

    def __post_init__(self) -> None:
        check_number("gap", self.gap, 0.001, 1e9)


WindowKind = Tumbling | Sliding | Session
