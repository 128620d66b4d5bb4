"""Sum, mean, least and greatest value. A value that is None is left out, as in SQL.

Sums are made value by value. Python's `sum` of a list rounds in another way than two sums of its halves, and a restart
in the middle of a window would change the last digit of its mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.windows.aggregates.aggregate import Field

__all__ = ["Max", "Mean", "Min", "Sum"]


class _Total:
    __slots__ = ("count", "total")

    def __init__(self, count: int = 0, total: float = 0) -> None:
        self.count = count
        self.total = total

    def add(self, values: Sequence[Any]) -> None:
        self.count += len(values)
        self.total = reduce(add, values, self.total)

    def merge(self, other: _Total) -> None:
        self.count += other.count
        self.total += other.total

    def value(self) -> Any:
        return self.total if self.count else None

    def state(self) -> list[float]:
        return [self.count, self.total]


class _Average(_Total):
    __slots__ = ()

    def value(self) -> Any:
        return self.total / self.count if self.count else None


class _Least:
    __slots__ = ("least",)

    def __init__(self, least: Any = None) -> None:
        self.least = least

    def add(self, values: Sequence[Any]) -> None:
        if values:
            least = min(values)
            if self.least is None or least < self.least:
                self.least = least

    def merge(self, other: _Least) -> None:
        self.add([] if other.least is None else [other.least])

    def value(self) -> Any:
        return self.least

    def state(self) -> Any:
        return self.least


class _Greatest:
    __slots__ = ("greatest",)

    def __init__(self, greatest: Any = None) -> None:
        self.greatest = greatest

    def add(self, values: Sequence[Any]) -> None:
        if values:
            greatest = max(values)
            if self.greatest is None or greatest > self.greatest:
                self.greatest = greatest

    def merge(self, other: _Greatest) -> None:
        self.add([] if other.greatest is None else [other.greatest])

    def value(self) -> Any:
        return self.greatest

    def state(self) -> Any:
        return self.greatest


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of a field's values; None without any."""

    field: Field

    def new(self) -> _Total:
        return _Total()

    def restore(self, state: Any) -> _Total:
        return _Total(*state)


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a field's values; None without any."""

    field: Field

    def new(self) -> _Average:
        return _Average()

    def restore(self, state: Any) -> _Average:
        return _Average(*state)


@dataclass(frozen=True, slots=True)
class Min:
    """The least of a field's values; None without any."""

    field: Field

    def new(self) -> _Least:
        return _Least()

    def restore(self, state: Any) -> _Least:
        return _Least(state)


@dataclass(frozen=True, slots=True)
class Max:
    """The greatest of a field's values; None without any."""

    field: Field

    def new(self) -> _Greatest:
        return _Greatest()

    def restore(self, state: Any) -> _Greatest:
        return _Greatest(state)
