"""What is remembered of a truck, and which of its reports are taken.

The reports of a truck are taken in the order of their event times. One that is older than the last, or that was taken
before, is not evaluated: it is a repetition, or was overtaken on its way. That makes the incidents the same, however
often and in whatever batches the records of a shard come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.alerts.evaluation.incident_track import IncidentTrack

if TYPE_CHECKING:
    from truckstream.alerts.evaluation.report import TruckReport

__all__ = ["MOST_DIGESTS", "TruckState"]

#: Reports of one event time that are recognised when they come again; simulated trucks send some within a second.
MOST_DIGESTS: Final = 128


class TruckState(msgspec.Struct):
    """One truck, after at least one report."""

    #: Event time of its last report.
    time: float
    #: The latest arrival of a report.
    arrival: float
    #: The reports that were taken of that event time.
    digests: list[int] = []
    #: By the names of the rules.
    tracks: dict[str, IncidentTrack] = {}

    def takes(self, report: TruckReport) -> bool:
        """Note a report, and return whether it is to be evaluated. Each report is a sign of life."""
        self.arrival = max(self.arrival, report.arrival)
        if report.time < self.time or (report.time == self.time and report.digest in self.digests):
            return False
        if report.time > self.time:
            self.digests = []
        self.time = report.time
        if len(self.digests) < MOST_DIGESTS:
            self.digests.append(report.digest)
        return True

    def track(self, rule: str) -> IncidentTrack:
        """Return the course of a rule."""
        return self.tracks.get(rule) or self.tracks.setdefault(rule, IncidentTrack())
