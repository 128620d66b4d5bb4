"""From a truck's physics to its reports: the hot path, and the only place where speed cost some plainness.

A truck's signals come in two groups, as they do on its bus. Timestamp, position, speed and engine speed are computed
for each report. The others follow with lags of minutes, so they are sampled once a step of 1 to 10 seconds: ten
reports, where so many fit (`Rhythm`).

So each step writes a template: the record's own JSON encoder with `%` formats in the place of the quick fields. A
report is then one formatting of six values.

Profile (July 2025's CPython 3.11, one EPYC core, 100 trucks, each report a simulated second after the last, µs a
record): see `benchmarks/fleet.py` for the total.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.fleet.broken import Breakage
from truckstream.fleet.health import health_of
from truckstream.fleet.truck import IDLE_RPM
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.fleet.truck import Truck

__all__ = ["Calendar", "Report", "Rhythm", "reports_of"]

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


class Rhythm(msgspec.Struct, frozen=True):
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
    def of(cls, trucks: int, rate: float) -> Rhythm:
        """Steps of ten reports, but of no less than a second and no more than ten."""
        interval = trucks / rate
        if interval > LONGEST_STEP:
            steps = ceil(interval / LONGEST_STEP)
            return cls(trucks=trucks, rate=rate, step=interval / steps, reports=1, silent=steps - 1)
        wanted = min(LONGEST_STEP, max(SHORTEST_STEP, REPORTS_PER_STEP * interval))
        reports = max(1, floor(wanted / interval + ABOVE_ZERO))
        return cls(trucks=trucks, rate=rate, step=reports * interval, reports=reports, silent=0)


class Calendar:
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


def reports_of(truck: Truck, rhythm: Rhythm, index: int, calendar: Calendar) -> Iterator[Report]:
    """The reports of the fleet's truck number `index` (from 0), for ever."""
    # A step begins somewhere in the past, at random, so that not all trucks compute theirs in the same instant.
    begun = truck.random.randrange(rhythm.reports)
    return islice(_run(truck, rhythm, index - begun * rhythm.trucks, calendar), begun, None)


def _run(truck: Truck, rhythm: Rhythm, number: int, calendar: Calendar) -> Iterator[Report]:
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
