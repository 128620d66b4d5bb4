"""From a truck's physics to its reports: the hot path, and the only place where speed cost some plainness.

A truck's signals come in two groups, as they do on a truck's own bus. Time, position, speed and engine speed are
computed for each report. The others are sampled once a step of 1 to 10 seconds, which is ten reports where so many
fit (`StepPlan`): most of them follow with lags of minutes, and between two samples they move by a digit or not at all.

Each step writes a template: the record as its own encoder writes it, with formats in the place of the five quick
fields. A report is then one formatting of five values, and TruckRecord stays the only place that knows the layout.

What the profile says (benchmarks/fleet.py; CPython 3.11 on one core of an EPYC; 100 trucks, ten reports a step):

- 1.0 µs a record in the loop of `_run`, of which the formatting takes 0.5, and the Report 0.07.
- 1.3 µs a record for its tenth of a step. With warm caches a step takes 8.5 µs: 4.4 for the physics, 2.1 for
  rounding 14 values, 0.8 for the health, 0.9 for the encoder. With 100 trucks in turn the caches are colder.
- Rejected: a TruckRecord for each report (0.5 µs to make, 1.0 to encode, 0.2 for each `round`: 4 µs in all); one
  record written over and encoded each time (1.1 and the rounding); f-strings (no faster than bytes and then encoded).
- A generator keeps a truck's numbers in local variables; `map(next, cycle(...))` takes the trucks in turn without a
  line of Python a record.
- 10,000 trucks take twice the time a record, because 5 KiB of each are no longer in any cache.
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
#: Revolutions a minute by which an engine's speed trembles.
TREMBLE: Final = 18.0
#: A speed that ends at 0 must not end at -0.0 by rounding.
ABOVE_ZERO: Final = 1e-9


class Report(msgspec.Struct, frozen=True, gc=False):
    """One record on its way to a stream.

    `truck_id` is the partition key (1 to 256 characters, the true one also where the data is broken), `data` one
    compact JSON object in UTF-8. `broken` is None for a valid record, else what was done to it.
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
        """The reason code with which the data must be refused; None for a valid record."""
        return None if self.broken is None else self.broken.code

    def record(self) -> TruckRecord:
        """The data as a checked record.

        Raises:
            InvalidRecordError: for a broken record, with the code and field that `broken` announces.
        """
        return TruckRecord.from_json(self.data)


class StepPlan(msgspec.Struct, frozen=True):
    """How simulated time is divided. The fleet's n-th report is made n / rate seconds after its start."""

    trucks: int
    #: Reports a simulated second, of the whole fleet.
    rate: float
    #: Seconds of one step of a truck's physics.
    step: float
    #: Reports in a step that has any.
    reports: int
    #: Steps without a report before one with: only where a truck's reports are more than LONGEST_STEP apart.
    silent: int

    @classmethod
    def of(cls, trucks: int, rate: float) -> StepPlan:
        """Steps of ten reports, but of no less than a second and no more than ten."""
        interval = trucks / rate
        if interval > LONGEST_STEP:
            steps = ceil(interval / LONGEST_STEP)
            return cls(trucks=trucks, rate=rate, step=interval / steps, reports=1, silent=steps - 1)
        wanted = min(LONGEST_STEP, max(SHORTEST_STEP, REPORTS_PER_STEP * interval))
        reports = max(1, floor(wanted / interval + ABOVE_ZERO))
        return cls(trucks=trucks, rate=rate, step=reports * interval, reports=reports, silent=0)


class TimestampCache:
    """The text of each second. It remembers one, because all trucks report in the same."""

    def __init__(self, start: datetime) -> None:
        self._midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        #: Seconds from midnight to the start.
        self.begin = (start - self._midnight).total_seconds()
        self._second = -1
        self._text = b""

    def text(self, second: int) -> bytes:
        """The second that begins `second` seconds after midnight before the start."""
        if second != self._second:
            self._second = second
            moment = self._midnight + timedelta(seconds=second)
            self._text = moment.strftime("%Y-%m-%d %H:%M:%S").encode()
        return self._text


class _Dials(TruckRecord, frozen=False):  # type: ignore[misc]
    """A record that is written over, step after step."""


#: What is formatted for each report, and how; the order is that of the fields in the record.
_QUICK: Final = {
    "timestamp": b'"%b"',
    "speed": b"%.1f",
    "engine_rpm": b"%d",
    "latitude": b"%.6f",
    "longitude": b"%.6f",
}
_encode: Final = msgspec.json.Encoder().encode


def _dials(truck: Truck) -> Any:
    """Dials that encode to a template. A `%` in the id stands for itself."""
    quick: dict[str, Any] = {name: msgspec.Raw(form) for name, form in _QUICK.items()}
    slow: dict[str, Any] = dict.fromkeys(TruckRecord.__struct_fields__)
    return _Dials(**slow | quick | {"truck_id": truck.truck_id.replace("%", "%%")})


def generate_reports(truck: Truck, rhythm: StepPlan, index: int, calendar: TimestampCache) -> Iterator[Report]:
    """The reports of the fleet's truck number `index` (from 0), for ever."""
    # A step begins somewhere in the past, at random, so that not all trucks compute theirs in the same instant.
    begun = truck.random.randrange(rhythm.reports)
    return islice(_run(truck, rhythm, index - begun * rhythm.trucks, calendar), begun, None)


def _run(truck: Truck, rhythm: StepPlan, number: int, calendar: TimestampCache) -> Iterator[Report]:
    """Reports from the fleet's report `number` on. What does not change from report to report stands above the loop."""
    truck_id, route, dials, tremble = truck.truck_id, truck.route, _dials(truck), truck.random.random
    trucks, rate, reports, begin = rhythm.trucks, rhythm.rate, rhythm.reports, calendar.begin
    hours = rhythm.step / reports / 3600.0
    second = -1
    stamp = b""
    while True:
        for _ in range(rhythm.silent):
            truck.drive()
        latitude, longitude, speed = route.latitude, route.longitude, truck.speed + ABOVE_ZERO
        truck.drive()
        truck.show(dials)
        dials.health_status = health_of(dials)
        template = _encode(dials)
        gain = (truck.speed - speed) / reports
        half, ratio = gain / 2.0, truck.ratio
        north, east = route.degrees(hours)
        for _ in range(reports):
            now = int(begin + number / rate)
            if now != second:
                second, stamp = now, calendar.text(now)
            number += trucks
            mean = speed + half
            speed += gain
            latitude += mean * north
            longitude += mean * east
            rpm = speed * ratio
            if rpm < IDLE_RPM:  # noqa: PLR1730 - max() takes three times as long
                rpm = IDLE_RPM
            yield Report(truck_id, template % (stamp, speed, rpm + TREMBLE * tremble(), latitude, longitude))
