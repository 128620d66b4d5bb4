"""How many records come, from which shards, and the other figures of the pipeline, now and in the last minutes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.dashboard.view.figures.arrival_rates import ArrivalRates

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SERIES_POINTS", "KinesisShare", "Point", "Traffic"]

#: Points of the charts, one a second.
SERIES_POINTS: Final = 300
#: Shards that are shown. The records of others count towards the totals only.
MOST_SHARDS: Final = 256


class KinesisShare(NamedTuple):
    """What a record takes of its shard's limits, which count Kinesis records as they are stored.

    A record of an aggregate, or of an envelope, has its equal share of one.
    """

    records: float
    bytes: float


class Point(NamedTuple):
    """The figures of one second. None stands for one that was not known."""

    time: int
    records: float
    bytes: float
    rejected: int
    throttled: int
    latency: float | None
    lag: float | None


class _Shard:
    __slots__ = ("lag", "rates", "throttled", "throttles")

    def __init__(self) -> None:
        self.rates = ArrivalRates()
        self.throttles = ArrivalRates()
        self.throttled = 0
        #: Milliseconds behind the stream; None if unknown.
        self.lag: float | None = None


class Traffic:
    """The traffic of one view."""

    def __init__(self) -> None:
        self.records = 0
        self.bytes = 0
        self.throttled = 0
        #: The last values of figures that are measured now and then.
        self.latency: float | None = None
        self.lag: float | None = None
        self.points: deque[Point] = deque(maxlen=SERIES_POINTS)
        self._rates = ArrivalRates()
        self._shards: dict[str, _Shard] = {}
        self._rejected_in_second = self._throttled_in_second = 0
        self._second: int | None = None

    def count(
        self,
        shard_id: str | None,
        records: int,
        size: int,
        arrival: float,
        now: float,
        share: KinesisShare | None = None,
    ) -> None:
        """Count records of one shard that arrived at one time. Without `share`, each is one Kinesis record."""
        self.records += records
        self.bytes += size
        self._rates.add(arrival, records, size, now)
        if shard_id is not None and (shard := self._shard(shard_id)):
            stored = share or KinesisShare(records, size)
            shard.rates.add(arrival, stored.records, stored.bytes, now)

    def count_rejected(self) -> None:
        """Count a record that broke a rule; it is counted as a record, too."""
        self._rejected_in_second += 1

    def count_throttled(self, shard_id: str | None, requests: int, now: float) -> None:
        """Count sends or calls that the service throttled."""
        self.throttled += requests
        self._throttled_in_second += requests
        if shard_id is not None and (shard := self._shard(shard_id)):
            shard.throttled += requests
            shard.throttles.add(now, requests, 0, now)

    def set_shard_lag(self, shard_id: str, milliseconds: float | None) -> None:
        """Note how far reading is behind one shard."""
        if shard := self._shard(shard_id):
            shard.lag = milliseconds

    def keep_shards(self, shard_ids: set[str]) -> None:
        """Drop the shards that are not among these: they have ended."""
        for shard_id in self._shards.keys() - shard_ids:
            del self._shards[shard_id]

    def tick(self, now: float) -> bool:
        """Add the points of the seconds that have passed, and return whether there is a new one."""
        second = int(now)
        if self._second is None or second < self._second:
            self._second = second
        missed = min(second - self._second, SERIES_POINTS)
        for number in range(missed):
            self._add_point(second - missed + number, now)
        self._second = second
        return missed > 0

    def shards(self, now: float) -> Iterator[tuple[str, int, int, int, float, float | None]]:
        """Yield id, Kinesis records/s, their bytes/s, throttles in all, throttles/s and lag of each shard."""
        for shard_id, shard in sorted(self._shards.items()):
            records, size = shard.rates.per_second(now)
            throttles, _ = shard.throttles.per_second(now)
            yield shard_id, round(records), round(size), shard.throttled, round(throttles, 1), shard.lag

    def _shard(self, shard_id: str) -> _Shard | None:
        shard = self._shards.get(shard_id)
        if shard is None:
            if len(self._shards) >= MOST_SHARDS:
                return None
            shard = self._shards[shard_id] = _Shard()
        return shard

    def _add_point(self, second: int, now: float) -> None:
        records, size = self._rates.per_second(now)
        self.points.append(
            Point(
                second,
                round(records, 1),
                round(size),
                self._rejected_in_second,
                self._throttled_in_second,
                self.latency,
                self.lag,
            )
        )
        self._rejected_in_second = self._throttled_in_second = 0
