"""From a truck's physics to its reports: the hot path of the fleet, where speed has cost some plainness.

A truck's signals come in two groups, as on a real truck's bus. Time, position, speed and engine speed are computed for
each report. The others are sampled once a step of 1 to 10 seconds, which is ten reports where ten fit (`StepPlan`):
most of them follow with lags of minutes, so between two samples they change by a digit or not at all.

Each step writes a template: the record as its own encoder writes it, with formats in place of the five values that
every report computes. A report is then one formatting of five values, and TruckRecord stays the only place that knows
the layout.

CPU by the profile (benchmarks/fleet.py; CPython 3.11 on one core of an EPYC; 100 trucks, ten reports a step):

- 1.0 µs a record in the loop of `_generate`, of which the formatting takes 0.5 and the Report 0.07.
- 1.3 µs a record for its tenth of a step. With warm caches a step takes 8.5 µs: 4.4 for the physics, 2.1 for
  rounding 14 values, 0.8 for the health, 0.9 for the encoder. With 100 trucks in turn the caches are colder.
- Rejected: a TruckRecord for each report (0.5 µs to make, 1.0 to encode, 0.2 for each `round`: 4 µs in all); one
  record written over and encoded each time (1.1 and the rounding); f-strings (no faster than bytes, then encoded).
- A generator keeps a truck's numbers in local variables; `map(next, cycle(...))` takes the trucks in turn without a
  line of Python a record.
- 10,000 trucks take twice the time a record, because their 5 KiB each are no longer in any cache.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.fleet.corruption import Breakage
from truckstream.fleet.health import health_of
from truckstream.fleet.truck import IDLE_RPM
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.fleet.truck import Truck

__all__ = ["Report", "StepPlan", "TimestampCache", "generate_reports"]

REPORTS_PER_STEP: Final = 10
SHORTEST_STEP: Final = 1.0
LONGEST_STEP: Final = 10.0
#: Revolutions a minute by which an engine's speed varies at random.
TREMBLE: Final = 18.0
#: Added to speeds, so that rounding cannot turn a final speed of 0 into -0.0.
ABOVE_ZERO: Final = 1e-9


class Report(msgspec.Struct, frozen=True, gc=False):
    """One record on its way to a stream.

    `truck_id` is the partition key: 1 to 256 characters, and correct even where the data is broken. `data` is one
    compact JSON object in UTF-8. `broken` is None for a valid record, otherwise it describes what was done to it.
    """

    truck_id: str
    data: bytes
    broken: Breakage | None = None

    @property
    def valid(self) -> bool:
        """Whether `data` keeps every rule of TruckRecord."""
        return self.broken is None

    @property
    def reason(self) -> str | None:
        """The reason code with which the data must be rejected; None for a valid record."""
        return None if self.broken is None else self.broken.code

    def record(self) -> TruckRecord:
        """Decode and check the data.

        Raises:
            InvalidRecordError: the record is broken; the error has the code and field that `broken` announces.
        """
        return TruckRecord.from_json(self.data)


class StepPlan(msgspec.Struct, frozen=True):
    """How simulated time is divided into steps. Report n of the fleet comes n / rate seconds after its start."""

    trucks: int
    #: Reports a simulated second, of the whole fleet.
    rate: float
    #: Seconds of one step of a truck's physics.
    step_seconds: float
    #: Reports in a step that has any.
    reports_per_step: int
    #: Steps without reports before each step that has one: only where reports are more than LONGEST_STEP apart.
    silent_steps: int

    @classmethod
    def of(cls, trucks: int, rate: float) -> StepPlan:
        """Plan steps of ten reports, but of no less than one second and no more than ten."""
        interval = trucks / rate
        if interval > LONGEST_STEP:
            steps = ceil(interval / LONGEST_STEP)
            return cls(
                trucks=trucks, rate=rate, step_seconds=interval / steps, reports_per_step=1, silent_steps=steps - 1
            )
        wanted = min(LONGEST_STEP, max(SHORTEST_STEP, REPORTS_PER_STEP * interval))
        reports = max(1, floor(wanted / interval + ABOVE_ZERO))
        return cls(trucks=trucks, rate=rate, step_seconds=reports * interval, reports_per_step=reports, silent_steps=0)


class TimestampCache:
    """The timestamp of each second as text. It keeps the last one, because all trucks report in the same second."""

    def __init__(self, start: datetime) -> None:
        self._midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        #: Seconds from midnight to the start.
        self.start_second = (start - self._midnight).total_seconds()
        self._second = -1
        self._text = b""

    def text(self, second: int) -> bytes:
        """Return the timestamp of the second that begins `second` seconds after the midnight before the start."""
        if second != self._second:
            self._second = second
            moment = self._midnight + timedelta(seconds=second)
            self._text = moment.strftime("%Y-%m-%d %H:%M:%S").encode()
        return self._text


class _MutableRecord(TruckRecord, frozen=False):  # type: ignore[misc]
    """A record that is written over, step after step."""


#: The fields that are formatted for each report, in the order in which the record has them.
_FORMATS: Final = {
    "timestamp": b'"%b"',
    "speed": b"%.1f",
    "engine_rpm": b"%d",
    "latitude": b"%.6f",
    "longitude": b"%.6f",
}
_encode: Final = msgspec.json.Encoder().encode


def template_record(truck: Truck) -> Any:
    """Make a record that encodes to a template once `Truck.write_signals` and the health have filled it in."""
    unset: dict[str, Any] = dict.fromkeys(TruckRecord.__struct_fields__)
    formats: dict[str, Any] = {name: msgspec.Raw(text) for name, text in _FORMATS.items()}
    truck_id = truck.truck_id.replace("%", "%%")  # in a format, a `%` is written twice
    return _MutableRecord(**unset | formats | {"truck_id": truck_id})


def generate_reports(truck: Truck, plan: StepPlan, index: int, timestamps: TimestampCache) -> Iterator[Report]:
    """Yield the reports of the fleet's truck number `index` (from 0), for ever."""
    # Each truck begins at a random place in its step, so that not all of them compute a step at the same moment.
    skipped = truck.random.randrange(plan.reports_per_step)
    return islice(_generate(truck, plan, index - skipped * plan.trucks, timestamps), skipped, None)


def _generate(truck: Truck, plan: StepPlan, number: int, timestamps: TimestampCache) -> Iterator[Report]:
    """Yield reports from the fleet's report `number` on. All that stays the same is computed above the loop."""
    truck_id, route, record, tremble = truck.truck_id, truck.route, template_record(truck), truck.random.random
    trucks, rate, reports, start_second = plan.trucks, plan.rate, plan.reports_per_step, timestamps.start_second
    hours = plan.step_seconds / reports / 3600.0
    second = -1
    timestamp = b""
    while True:
        for _ in range(plan.silent_steps):
            truck.drive()
        latitude, longitude, speed = route.latitude, route.longitude, truck.speed + ABOVE_ZERO
        truck.drive()
        truck.write_signals(record)
        record.health_status = health_of(record)
        template = _encode(record)
        gain = (truck.speed - speed) / reports
        half, ratio = gain / 2.0, truck.ratio
        north, east = route.degrees(hours)
        for _ in range(reports):
            now = int(start_second + number / rate)
            if now != second:
                second, timestamp = now, timestamps.text(now)
            number += trucks
            mean = speed + half
            speed += gain
            latitude += mean * north
            longitude += mean * east
            rpm = speed * ratio
            if rpm < IDLE_RPM:  # noqa: PLR1730 - max() takes three times as long
                rpm = IDLE_RPM
            yield Report(truck_id, template % (timestamp, speed, rpm + TREMBLE * tremble(), latitude, longitude))
