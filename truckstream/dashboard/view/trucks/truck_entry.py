"""One truck of a view: where it is, the way that it came, and its signals over the last minutes."""

from __future__ import annotations

from array import array
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from truckstream.record import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.dashboard.view.rejections import Rejection
    from truckstream.record import TruckRecord

__all__ = ["HEALTH", "SIGNALS", "TRAIL_POINTS", "TruckEntry"]

#: The statuses, by the number that messages have for them.
HEALTH: Final = ("NORMAL", "WARNING", "URGENT")
HEALTH_CODE: Final = {status: code for code, status in enumerate(HEALTH)}

#: The fields of a record that are numbers.
SIGNALS: Final = tuple(field.name for field in FIELDS if field.kind is not str)
_signals_of: Final[Callable[[TruckRecord], tuple[float, ...]]] = attrgetter(*SIGNALS)

#: A trail has points at least so many degrees apart (440 m), so that it does not fill up while a truck stands.
TRAIL_STEP: Final = 0.004
TRAIL_POINTS: Final = 60
#: A truck that is this many degrees away at once did not drive there. Its trail begins anew.
LONGEST_STEP: Final = 0.5

#: Samples of the signals, and the seconds between two. With 19 signals they take 20 kB a truck.
HISTORY_POINTS: Final = 120
HISTORY_SECONDS: Final = 1.0
#: Numbers of a sample: the time, the health, and the signals.
SAMPLE_SIZE: Final = 2 + len(SIGNALS)


class TruckEntry:
    """A truck that has reported. `slot` is its number in the messages of a view."""

    __slots__ = (
        "_history",
        "_sampled_at",
        "added_in",
        "record",
        "rejection",
        "reported_at",
        "slot",
        "trail",
        "version",
    )

    def __init__(self, slot: int, version: int) -> None:
        self.slot = slot
        self.added_in = version
        self.record: TruckRecord
        self.reported_at = 0.0
        #: The version of the view in which it changed last.
        self.version = 0
        #: Version, latitude and longitude.
        self.trail: deque[tuple[int, float, float]] = deque(maxlen=TRAIL_POINTS)
        #: The last report with its partition key that broke a rule.
        self.rejection: Rejection | None = None
        self._history = array("d")
        self._sampled_at: float | None = None

    def report(self, record: TruckRecord, version: int, now: float) -> None:
        """Take a report."""
        self.record = record
        self.reported_at = now
        self.version = version
        self._follow(record.latitude, record.longitude, version)
        if self._sampled_at is None or now - self._sampled_at >= HISTORY_SECONDS or now < self._sampled_at:
            self._sample(record, now)

    def row(self) -> tuple[int, float, float, float, int]:
        """Return slot, latitude, longitude, speed and health."""
        record = self.record
        return (
            self.slot,
            round(record.latitude, 5),
            round(record.longitude, 5),
            record.speed,
            HEALTH_CODE[record.health_status],
        )

    def history(self) -> list[list[float]]:
        """Return the samples as columns: times, health, and each of `SIGNALS`."""
        return [self._history[column::SAMPLE_SIZE].tolist() for column in range(SAMPLE_SIZE)]

    def _follow(self, latitude: float, longitude: float, version: int) -> None:
        if self.trail:
            _, last_latitude, last_longitude = self.trail[-1]
            step = max(abs(latitude - last_latitude), abs(longitude - last_longitude))
            if step < TRAIL_STEP:
                return
            if step > LONGEST_STEP:
                self.trail.clear()
        self.trail.append((version, round(latitude, 4), round(longitude, 4)))

    def _sample(self, record: TruckRecord, now: float) -> None:
        self._sampled_at = now
        self._history.extend((now, HEALTH_CODE[record.health_status], *_signals_of(record)))
        if len(self._history) > HISTORY_POINTS * SAMPLE_SIZE:
            del self._history[:SAMPLE_SIZE]
