"""The model of the page: it takes records and figures, and returns what changed since a version as JSON.

A browser that is slow does not hold anything up, and nothing is queued for it: it gets the changes since the version
that it has, whenever it is ready, and a truck that moved ten times meanwhile is one row. One that is too far behind, or
has nothing yet, gets a snapshot of everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.dashboard.view.figures.traffic import Traffic
from truckstream.dashboard.view.fleet_alerts import FleetAlerts
from truckstream.dashboard.view.incidents import Incidents
from truckstream.dashboard.view.rejections import Rejection, Rejections
from truckstream.dashboard.view.texts import short_text
from truckstream.dashboard.view.trucks.truck_page import truck_page
from truckstream.dashboard.view.trucks.truck_table import MOST_TRUCKS, TruckTable
from truckstream.errors import InvalidRecordError
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.alerts import AlertEvent, RuleSet
    from truckstream.dashboard.view.figures.traffic import KinesisShare
    from truckstream.dashboard.view.source import ViewSource

__all__ = ["FleetView", "Update"]

#: Seconds of the charts that a delta repeats, so that a browser that was slow for some of them misses none.
POINTS_IN_A_DELTA: Final = 5

_encode: Final = msgspec.json.Encoder().encode
_read: Final = TruckRecord.from_json


class Update(msgspec.Struct, frozen=True):
    """The changes of a view up to a version, as JSON."""

    version: int
    data: bytes


class FleetView:
    """What the page shows of a fleet and its stream.

    Args:
        source: where the records come from.
        rules: the rules of alerts, such as `truckstream.alerts.default_rules()`; None for no alerts.
        most_trucks: trucks that are kept. Beyond them, the one that has been silent longest leaves.
    """

    def __init__(
        self,
        source: ViewSource,
        *,
        rules: RuleSet | None = None,
        most_trucks: int = MOST_TRUCKS,
    ) -> None:
        self.source = source
        self._alerts = None if rules is None else FleetAlerts(rules)
        self._most_trucks = most_trucks
        self._version = 0
        self._replay: Mapping[str, Any] | None = None
        self._notice: str | None = None
        self.now = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget everything, such as before a replay goes on elsewhere. Browsers get a snapshot next."""
        self._version += 1
        self._begun_in = self._ticked_in = self._version
        self.trucks = TruckTable(self._most_trucks)
        self.traffic = Traffic()
        self.rejections = Rejections()
        self.incidents = Incidents()
        if self._alerts is not None:
            self._alerts.reset()

    # --- Records and figures ----------------------------------------------------------------------

    def observe(
        self,
        data: bytes,
        key: str,
        shard_id: str | None,
        arrival: float,
        now: float,
        share: KinesisShare | None = None,
    ) -> None:
        """Take a record as the stream has it, and check it.

        Args:
            data: the record's bytes.
            key: its partition key.
            shard_id: the shard that stored it; None if it is not known.
            arrival: when it arrived in the stream, in seconds since the epoch.
            now: the present, likewise.
            share: the record's share of a Kinesis record that it is in with others.
        """
        self.traffic.count(shard_id, 1, len(data) + len(key), arrival, now, share)
        try:
            record = _read(data)
        except InvalidRecordError as error:
            self.reject(error, key, now)
        else:
            self.place(record, data, shard_id, arrival, now)

    def place(self, record: TruckRecord, data: bytes, shard_id: str | None, arrival: float | None, now: float) -> None:
        """Show a valid record, without counting it. Its arrival may be unknown."""
        self._version += 1
        self.trucks.report(record, self._version, now)
        if self._alerts is not None:
            for event in self._alerts.take(record, data, shard_id, arrival):
                self.alert(event)

    def reject(self, error: InvalidRecordError, key: str, now: float) -> None:
        """Show a record that breaks a rule, and count it as rejected."""
        self._version += 1
        self.traffic.count_rejected()
        rejection = Rejection.of(error, key, self._version, now)
        self.rejections.add(rejection)
        self.trucks.reject(rejection)

    def alert(self, event: AlertEvent) -> None:
        """Show an incident that begins or ends."""
        self._version += 1
        self.incidents.add(event, self._version)

    def set_latency(self, seconds: float | None) -> None:
        """Set the time from a record to its object in the store."""
        self.traffic.latency = seconds

    def set_lag(self, lag: float | None) -> None:
        """Set how far reading is behind the stream, in the unit that the source names."""
        self.traffic.lag = lag

    def show_replay(self, state: Mapping[str, Any]) -> None:
        """Show the state of a replay: its slider and its buttons."""
        if state != self._replay:
            self._version += 1
            self._replay = state

    def show_notice(self, text: str) -> None:
        """Show a sentence about the feed, such as that it has ended."""
        self._version += 1
        self._notice = short_text(text)

    def tick(self, now: float) -> None:
        """Let time pass. Once a second a point is added to the charts."""
        self.now = now
        if self.traffic.tick(now):
            self._version += 1
            self._ticked_in = self._version

    # --- Messages -----------------------------------------------------------------------------------

    def delta(self, since: int | None) -> Update:
        """Return the changes since a version; everything for None, and for a version that is too old."""
        is_whole = since is None or since < self._begun_in or since < self.trucks.oldest_known_change
        start = 0 if is_whole or since is None else since
        message: dict[str, Any] = {
            "now": round(self.now, 3),
            "trucks": self.trucks.changes(start),
            "counts": self.trucks.counts,
        }
        if is_whole:
            message["source"] = self.source
        if is_whole or self._ticked_in > start:
            message |= self._figures(whole=is_whole)
        if self.rejections.version > start:
            message["rejected"] = {
                "reasons": self.rejections.reasons.most_common(),
                "latest": [each for each in self.rejections.latest if each.version > start],
            }
        if incidents := list(self.incidents.since(start)):
            message["incidents"] = incidents
        if self._replay is not None:
            message["replay"] = self._replay
        if self._notice is not None:
            message["notice"] = self._notice
        return Update(self._version, _encode(message))

    def truck_page(self, truck_id: str) -> bytes:
        """Return one truck's values, signals and broken rules as JSON; `null` if the truck is not known."""
        truck = self.trucks.get(truck_id)
        return _encode(None if truck is None else truck_page(truck))

    def _figures(self, *, whole: bool) -> dict[str, Any]:
        traffic = self.traffic
        points = list(traffic.points)[0 if whole else -POINTS_IN_A_DELTA :]
        return {
            "points": points,
            "shards": list(traffic.shards(self.now)),
            "totals": {
                "records": traffic.records,
                "bytes": traffic.bytes,
                "rejected": self.rejections.reasons.total(),
                "throttled": traffic.throttled,
                "trucks_left_out": self.trucks.left_out,
            },
        }
