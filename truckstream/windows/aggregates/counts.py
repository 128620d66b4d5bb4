"""The number of records, and the number of each value of a field."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.windows.aggregates.aggregate import Field

__all__ = ["Count", "CountBy"]


class _Number:
    __slots__ = ("count",)

    def __init__(self, count: int = 0) -> None:
        self.count = count

    def add(self, values: Sequence[Any]) -> None:
        self.count += len(values)

    def merge(self, other: _Number) -> None:
        self.count += other.count

    def value(self) -> int:
        return self.count

    def state(self) -> int:
        return self.count


class _Numbers:
    __slots__ = ("counts",)

    def __init__(self, counts: Any = ()) -> None:
        self.counts = Counter(dict(counts))

    def add(self, values: Sequence[Any]) -> None:
        self.counts.update(values)

    def merge(self, other: _Numbers) -> None:
        self.counts.update(other.counts)

    def value(self) -> dict[Any, int]:
        return dict(self.counts)

    def state(self) -> list[tuple[Any, int]]:
        return list(self.counts.items())


@dataclass(frozen=True, slots=True)
class Count:
    """The number of records; with a field, the number of those where it is not None."""

    field: Field | None = None

    def new(self) -> _Number:
        return _Number()

    def restore(self, state: Any) -> _Number:
        return _Number(state)


@dataclass(frozen=True, slots=True)
class CountBy:
    """The number of records with each value of a field, such as `health_status`, as a dictionary.

    It has an entry for each value, so the field should have few of them.
    """

    field: Field

    def new(self) -> _Numbers:
        return _Numbers()

    def restore(self, state: Any) -> _Numbers:
        return _Numbers(state)
