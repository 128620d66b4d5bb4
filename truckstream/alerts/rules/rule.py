"""The kinds of rules. Each judges one report of a truck.

A verdict has three values, which makes the hysteresis: BAD begins an incident once it has lasted for `hold`, GOOD ends
it once it has lasted for `end_hold`, and BETWEEN (inside the band of the two thresholds) interrupts both. So a value
that flaps around a limit makes one incident, and a rule begins at most one incident of a truck in each `end_hold`.
"""

from __future__ import annotations

import enum
from operator import attrgetter, sub
from typing import Any, ClassVar, Final, Literal

import msgspec

from truckstream.alerts.rules.zone import Zone
from truckstream.record import FIELDS, TruckRecord

__all__ = [
    "STATUSES",
    "TYRES",
    "AlertRule",
    "GeofenceRule",
    "HealthRule",
    "Reading",
    "Severity",
    "SilenceRule",
    "ThresholdRule",
    "TyreLossRule",
    "Verdict",
]

Severity = Literal["info", "warning", "critical"]

#: From best to worst.
STATUSES: Final = ("NORMAL", "WARNING", "URGENT")

#: The fields with a tyre's pressure.
TYRES: Final = tuple(field.name for field in FIELDS if field.name.startswith("tire_pressure_"))
_pressures_of: Final = attrgetter(*TYRES)

_RANKS: Final = {status: rank for rank, status in enumerate(STATUSES)}

_UNITS: Final = {field.name: field.unit for field in FIELDS}


class Verdict(enum.Enum):
    """What a report means for a rule."""

    BAD = "bad"
    BETWEEN = "between"
    GOOD = "good"


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A verdict, with the value that it was made of."""

    verdict: Verdict
    #: The value that decided: a number or a status; None if there is none.
    value: float | str | None
    #: The field of the value, where the rule looks at several.
    field: str = ""


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """The part that all rules share. Times are in seconds.

    A rule looks at one report. `memory` is a list of its own for each truck, which survives a restart; a rule that
    compares reports keeps a bounded number of figures in it.
    """

    kind: ClassVar[str]

    name: str
    severity: Severity = "warning"
    hold: float = 0.0
    end_hold: float = 60.0

    def judge(self, record: TruckRecord, time: float, memory: list[Any]) -> Reading | None:
        """Judge a report; None if it says nothing, such as one without a possible position.

        Args:
            record: a valid report.
            time: its event time in seconds since the epoch.
            memory: the figures that this rule keeps of the truck.
        """
        raise NotImplementedError

    def describe(self, reading: Reading) -> str:
        """Return the finding as text, such as "engine_temp is 112.4 °F"."""
        raise NotImplementedError


class HealthRule(AlertRule, frozen=True, kw_only=True):
    """The health that the truck reports is `status` or worse, until it is `end` or better."""

    kind: ClassVar[str] = "health"

    status: str = "URGENT"
    end: str = "WARNING"

    def judge(self, record: TruckRecord, time: float, memory: list[Any]) -> Reading | None:
        """Compare the ranks of the statuses."""
        rank = _RANKS[record.health_status]
        verdict = _verdict(rank >= _RANKS[self.status], rank <= _RANKS[self.end])
        return Reading(verdict, record.health_status)

    def describe(self, reading: Reading) -> str:
        """Name the status."""
        return f"health_status is {reading.value}"


class ThresholdRule(AlertRule, frozen=True, kw_only=True):
    """A field lies above (or below) `limit`, until it is at `end` or beyond it."""

    kind: ClassVar[str] = "threshold"

    field: str
    limit: float
    end: float
    is_upper: bool

    def judge(self, record: TruckRecord, time: float, memory: list[Any]) -> Reading | None:
        """Compare the field with both thresholds. A value on the limit is not beyond it."""
        value = getattr(record, self.field)
        if self.is_upper:
            verdict = _verdict(value > self.limit, value <= self.end)
        else:
            verdict = _verdict(value < self.limit, value >= self.end)
        return Reading(verdict, value)

    def describe(self, reading: Reading) -> str:
        """Name the value with its unit."""
        return f"{self.field} is {reading.value:g} {_UNITS[self.field]}".rstrip()


class SilenceRule(AlertRule, frozen=True, kw_only=True):
    """No report of a truck has arrived for `hold` seconds.

    A report proves the opposite. Silence itself is found by the evaluator, because no report announces it.
    """

    kind: ClassVar[str] = "silence"

    def judge(self, record: TruckRecord, time: float, memory: list[Any]) -> Reading | None:
        """Return GOOD: the truck has reported."""
        return _REPORTS

    def describe(self, reading: Reading) -> str:
        """Name the opposite of silence: silence itself has no reading."""
        return "it reports again"


_REPORTS: Final = Reading(Verdict.GOOD, None)


class TyreLossRule(AlertRule, frozen=True, kw_only=True):
    """The pressure of a tyre falls by more than `limit` PSI a minute, until it is at most `end`.

    The rate is that between this report and the youngest one that is at least `window` seconds older.
    """

    kind: ClassVar[str] = "tyre_loss"

    limit: float
    end: float
    window: float = 120.0

    def judge(self, record: TruckRecord, time: float, memory: list[Any]) -> Reading | None:
        """Compare the pressures with those of `window` seconds ago."""
        pressures = _pressures_of(record)
        # An eighth of a window apart, ten samples span the window whatever the rate of the reports.
        if not memory or time - memory[-1][0] >= self.window / 8:
            memory.append((time, *pressures))
        while len(memory) > 1 and time - memory[1][0] >= self.window:
            del memory[0]
        before, *old = memory[0]
        if time - before < self.window:
            return None
        losses = list(map(sub, old, pressures))
        worst = max(losses)
        rate = worst * 60 / (time - before)
        return Reading(_verdict(rate > self.limit, rate <= self.end), rate, TYRES[losses.index(worst)])

    def describe(self, reading: Reading) -> str:
        """Name the tyre that falls most, and how fast."""
        return f"{reading.field} falls by {reading.value:.2f} PSI a minute"


class GeofenceRule(AlertRule, frozen=True, kw_only=True):
    """The truck is inside (or outside) a zone, until it has left (or entered) it.

    Beyond the edge a band of `margin` miles is neither, so that a truck on the edge makes one incident.
    """

    kind: ClassVar[str] = "geofence"

    zone: Zone
    is_inside: bool
    margin: float = 0.1

    def judge(self, record: TruckRecord, time: float, memory: list[Any]) -> Reading | None:
        """Compare the distance from the edge with the margin."""
        if abs(record.latitude) > 90 or abs(record.longitude) > 180:  # noqa: PLR2004 - a sensor's fault
            return None
        distance = self.zone.distance(record.latitude, record.longitude)
        inside, outside = distance <= 0, distance > self.margin
        bad, good = (inside, outside) if self.is_inside else (outside, inside)
        return Reading(_verdict(bad, good), distance)

    def describe(self, reading: Reading) -> str:
        """Name the distance from the edge of the zone."""
        distance = float(reading.value or 0.0)
        return f"it is {abs(distance):.1f} miles {'inside' if distance <= 0 else 'outside'} the edge of the zone"


_BAD, _BETWEEN, _GOOD = Verdict.BAD, Verdict.BETWEEN, Verdict.GOOD


def _verdict(bad: bool, good: bool) -> Verdict:  # noqa: FBT001 - two conditions of one sentence
    return _BAD if bad else _GOOD if good else _BETWEEN
