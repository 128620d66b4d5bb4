"""A store for DDSketch that keeps only the bins that have values. Importing it needs the package ddsketch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddsketch.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SparseStore"]


class SparseStore(Store):
    """The number of values in each bin."""

    def __init__(self, bins: Mapping[int, int] | None = None) -> None:
        self.bins = dict(bins or {})
        self.count: int = sum(self.bins.values())

    def add(self, key: int, weight: float = 1) -> None:
        self.bins[key] = self.bins.get(key, 0) + int(weight)
        self.count += int(weight)

    def merge(self, store: SparseStore) -> None:
        for key, count in store.bins.items():
            self.add(key, count)

    def copy(self, store: SparseStore) -> None:
        self.bins, self.count = dict(store.bins), store.count

    def length(self) -> int:
        return len(self.bins)

    def key_at_rank(self, rank: float, lower: bool = True) -> int:  # noqa: FBT001, FBT002 - the package's interface
        """Return the bin of the value with `rank`, counted from 0 in the order of the bins.

        A rank between two whole numbers belongs to the lower or to the upper one.
        """
        seen = 0
        for key in sorted(self.bins):
            seen += self.bins[key]
            if seen > rank if lower else seen >= rank + 1:
                return key
        return max(self.bins)
