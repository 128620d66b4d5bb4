"""The trucks of a view, those that reported last at the end."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Any, Final

from truckstream.dashboard.view.trucks.truck_entry import HEALTH, TruckEntry

if TYPE_CHECKING:
    from truckstream.dashboard.view.rejections import Rejection
    from truckstream.record import TruckRecord

__all__ = ["MOST_TRUCKS", "TruckTable"]

#: With its history and its trail a truck takes about 26 kB, so that these take 130 MB.
MOST_TRUCKS: Final = 5_000
#: Trucks that left, whose slots a browser is told. One that is further behind gets a whole snapshot.
LATEST_GONE: Final = 1_000


class TruckTable:
    """The trucks by their ids. Beyond `most` of them, the one that has been silent longest leaves."""

    def __init__(self, most: int = MOST_TRUCKS) -> None:
        self._most = most
        self._trucks: OrderedDict[str, TruckEntry] = OrderedDict()
        self._next_slot = 0
        #: Trucks that left because there were too many.
        self.left_out = 0
        self.counts: Counter[str] = Counter(dict.fromkeys(HEALTH, 0))
        self._gone: deque[tuple[int, int]] = deque(maxlen=LATEST_GONE)

    def __len__(self) -> int:
        return len(self._trucks)

    def get(self, truck_id: str) -> TruckEntry | None:
        """Return a truck; None if it has not reported."""
        return self._trucks.get(truck_id)

    def report(self, record: TruckRecord, version: int, now: float) -> None:
        """Take a valid report."""
        truck_id, health = record.truck_id, record.health_status
        truck = self._trucks.get(truck_id)
        if truck is None:
            truck = self._add(truck_id, version)
            self.counts[health] += 1
        else:
            self._trucks.move_to_end(truck_id)
            if truck.record.health_status != health:
                self.counts[truck.record.health_status] -= 1
                self.counts[health] += 1
        truck.report(record, version, now)

    def reject(self, rejection: Rejection) -> None:
        """Note a report that broke a rule at the truck that its partition key names."""
        if truck := self._trucks.get(rejection.key):
            truck.rejection = rejection

    def changes(self, since: int) -> dict[str, list[Any]]:
        """Return the trucks that changed after a version: ids of new ones, positions, trail points, and those gone."""
        ids, rows, trail = [], [], []
        for truck_id, truck in reversed(self._trucks.items()):
            if truck.version <= since:
                break
            rows.append(truck.row())
            if truck.added_in > since:
                ids.append((truck.slot, truck_id))
            if truck.trail and truck.trail[-1][0] > since:
                trail += [(truck.slot, latitude, longitude) for at, latitude, longitude in truck.trail if at > since]
        gone = [slot for version, slot in self._gone if version > since]
        return {"ids": ids, "rows": rows, "trail": trail, "gone": gone}

    @property
    def oldest_known_change(self) -> int:
        """The version after which `changes` knows all trucks that left."""
        return self._gone[0][0] if len(self._gone) == LATEST_GONE else 0

    def _add(self, truck_id: str, version: int) -> TruckEntry:
        if len(self._trucks) >= self._most:
            _, silent = self._trucks.popitem(last=False)
            self.counts[silent.record.health_status] -= 1
            self._gone.append((version, silent.slot))
            self.left_out += 1
        truck = self._trucks[truck_id] = TruckEntry(self._next_slot, version)
        self._next_slot += 1
        return truck
