"""Which objects to fetch when DuckDB opens one, and which to forget.

DuckDB opens an object on each core, so that a bucket's latency would decide the time: 1,700 objects took 12 s. It reads
a table's objects in their order. So objects that follow one that was opened are fetched in parallel, before DuckDB asks
for them. Only after the object before was opened too: a query that picks single objects must not fetch others.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FetchPlan"]

#: Objects, and their bytes, that are fetched before DuckDB asks for them.
OBJECTS_AHEAD: Final = 32
BYTES_AHEAD: Final = 32 * 1024 * 1024

#: The bytes of fetched objects in memory. DuckDB opens most objects twice, for their types and for their rows.
BYTES_KEPT: Final = 128 * 1024 * 1024


class FetchPlan:
    """Decides which objects to fetch, and which to forget.

    Args:
        sizes: the bytes of each object by key, in the order in which a table lists them.
        bytes_kept: the bytes of the objects in memory. The object that is asked for is always kept.
    """

    def __init__(self, sizes: Mapping[str, int], *, bytes_kept: int = BYTES_KEPT) -> None:
        self._sizes = sizes
        self._keys = list(sizes)
        self._places = {key: place for place, key in enumerate(self._keys)}
        self._bytes_kept = bytes_kept
        self._opened: set[int] = set()
        #: The keys that are in memory or on their way, the least recently used first.
        self._kept: OrderedDict[str, None] = OrderedDict()
        self._bytes = 0

    def open(self, key: str) -> tuple[list[str], list[str]]:
        """Return the keys to fetch and the keys to forget, now that DuckDB opens an object."""
        place = self._places[key]
        self._opened.add(place)
        ahead = self._ahead(place) if place == 0 or place - 1 in self._opened else []
        fetch = [each for each in (key, *ahead) if each not in self._kept]
        for each in (*ahead, key):
            self._keep(each)
        return fetch, self._forget_oldest(key)

    def forget(self, key: str) -> None:
        """Forget an object that could not be fetched."""
        if key in self._kept:
            del self._kept[key]
            self._bytes -= self._sizes[key]

    def _ahead(self, place: int) -> list[str]:
        room = min(BYTES_AHEAD, self._bytes_kept // 2)
        found = []
        for key in self._keys[place + 1 : place + 1 + OBJECTS_AHEAD]:
            room -= self._sizes[key]
            if room < 0:
                break
            found.append(key)
        return found

    def _keep(self, key: str) -> None:
        if key not in self._kept:
            self._bytes += self._sizes[key]
            self._kept[key] = None
        self._kept.move_to_end(key)

    def _forget_oldest(self, key: str) -> list[str]:
        forgotten = []
        while self._bytes > self._bytes_kept and next(iter(self._kept)) != key:
            forgotten.append(next(iter(self._kept)))
            self.forget(forgotten[-1])
        return forgotten
