"""The fleet: it takes the trucks in turn, and under `async for` it keeps to the rate."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from itertools import cycle, islice
from random import Random
from typing import TYPE_CHECKING, Final

from truckstream.errors import InvalidArgumentError
from truckstream.fleet.corruption import shuffled_corruptions, valid_run_lengths
from truckstream.fleet.release_schedule import ReleaseSchedule
from truckstream.fleet.report_generator import Report, StepPlan, TimestampCache, generate_reports
from truckstream.fleet.truck import SmoothingFactors, Truck

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

__all__ = ["Fleet", "truck_ids"]

#: Without a rate, the event loop gets its turn after this many reports: a quarter of a millisecond.
UNPACED_BURST: Final = 100
#: A partition key's limit, which is also the record's limit for its truck_id.
LONGEST_ID: Final = 256


class Fleet:
    """Trucks that report in turn, as one endless stream of reports.

    Args:
        trucks: the number of trucks (`TRUCK_001`, `TRUCK_002`, …), or their ids: 1 to 256 characters each, no two the
            same.
        rate: reports a second of the whole fleet, in simulated time and, under `async for`, in real time. With None
            `async for` runs as fast as it can, and each truck reports once a simulated second.
        seed: with the same arguments, `start` included, reports are the same to the byte, at any pace. A truck's life
            depends on the seed, its id, and how often it reports.
        invalid: the share of reports whose data is broken, 0 to 1. The others do not depend on it.
        start: the simulated time of the first report; UTC if it has no time zone. Default: now.

    A fleet is one run: `take`, `next` and `async for` each continue where the last one stopped. Iterate it in one place
    at a time.

    Raises:
        InvalidArgumentError: names the argument, its value and the rule.
    """

    def __init__(
        self,
        trucks: int | Iterable[str] = 100,
        *,
        rate: float | None = 1000.0,
        seed: int = 0,
        invalid: float = 0.0,
        start: datetime | None = None,
    ) -> None:
        self.truck_ids = _ids_of(trucks)
        self.rate = _checked_rate(rate)
        self.seed = _checked_seed(seed)
        self.invalid = _checked_share(invalid)
        self.start = _in_utc(start)
        self._schedule: ReleaseSchedule | None = None
        self._reports = self._all_reports()

    def __iter__(self) -> Iterator[Report]:
        """Yield all reports as fast as they are taken, without a clock."""
        return self._reports

    def __aiter__(self) -> AsyncIterator[Report]:
        """Yield reports at `rate`: report n is due n / rate seconds after the first, also if earlier ones were late.

        They come in bursts of up to 20 ms. A consumer that is slower than the rate gets all reports, one after the
        other. When it is faster again, the fleet makes up for one second at most and gives up the rest of the delay
        (`given_up`). Cancelling is safe: the report that was not handed out is the next one.
        """
        return self._unpaced() if self.rate is None else self._paced(self.rate)

    def take(self, count: int) -> list[Report]:
        """Return the next `count` reports at once, without a clock."""
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InvalidArgumentError("count", count, "must be a whole number, 0 or more")
        return list(islice(self._reports, count))

    @property
    def given_up(self) -> float:
        """Seconds by which the fleet fell behind its schedule for good, because its consumer was too slow."""
        return self._schedule.given_up if self._schedule else 0.0

    def __repr__(self) -> str:
        rate = "as fast as it can" if self.rate is None else f"{self.rate:,.10g} reports/s"
        return f"Fleet({len(self.truck_ids):,} trucks, {rate}, seed {self.seed}, {self.invalid:.2%} invalid)"

    async def _paced(self, rate: float) -> AsyncIterator[Report]:
        loop = asyncio.get_running_loop()
        schedule = self._schedule = ReleaseSchedule(rate, loop.time())
        while True:
            for report in islice(self._reports, schedule.release(loop.time())):
                yield report
            await asyncio.sleep(max(0.0, schedule.next_release_time() - loop.time()))

    async def _unpaced(self) -> AsyncIterator[Report]:
        while True:
            for report in islice(self._reports, UNPACED_BURST):
                yield report
            await asyncio.sleep(0)

    def _all_reports(self) -> Iterator[Report]:
        plan = StepPlan.of(len(self.truck_ids), self.rate or float(len(self.truck_ids)))
        timestamps, clock = TimestampCache(self.start), self.start.timestamp()
        factors = SmoothingFactors.for_step(plan.step_seconds)
        trucks = [Truck(truck_id, Random(f"{self.seed}/{truck_id}"), factors, clock) for truck_id in self.truck_ids]
        generators = [generate_reports(truck, plan, index, timestamps) for index, truck in enumerate(trucks)]
        # One report of each truck in turn, without a line of Python a report.
        reports = map(next, cycle(generators))
        return self._corrupt_some(reports) if self.invalid else reports

    def _corrupt_some(self, reports: Iterator[Report]) -> Iterator[Report]:
        random = Random(f"{self.seed}/{self.truck_ids[0]}/invalid")
        run_lengths, corruptions = valid_run_lengths(self.invalid, random), shuffled_corruptions(random)
        for run_length, corruption in zip(run_lengths, corruptions, strict=False):
            yield from islice(reports, run_length)
            report = next(reports)
            yield Report(report.truck_id, corruption.apply(report.data, random), corruption.breakage)


def truck_ids(count: int) -> list[str]:
    """Return the ids of a fleet of `count` trucks, from `TRUCK_001` on."""
    return [f"TRUCK_{number:03d}" for number in range(1, count + 1)]


def _ids_of(trucks: int | Iterable[str]) -> tuple[str, ...]:
    rule = "must be a number of trucks, 1 or more, or their ids: 1 to 256 characters each, no two the same"
    if isinstance(trucks, int) and not isinstance(trucks, bool) and trucks > 0:
        return tuple(truck_ids(trucks))
    if isinstance(trucks, (int, float, str, bytes)):
        raise InvalidArgumentError("trucks", trucks, rule)
    try:
        ids = tuple(trucks)
    except TypeError:
        raise InvalidArgumentError("trucks", trucks, rule) from None
    for truck_id in ids:
        if not isinstance(truck_id, str) or not 0 < len(truck_id) <= LONGEST_ID or not _is_unicode(truck_id):
            raise InvalidArgumentError("trucks", truck_id, rule)
    if not ids or len(set(ids)) < len(ids):
        raise InvalidArgumentError("trucks", ids, rule)
    return ids


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _checked_rate(rate: float | None) -> float | None:
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0.0 < rate < math.inf:
        raise InvalidArgumentError("rate", rate, "must be reports a second, over 0, or None for as fast as possible")
    return float(rate)


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InvalidArgumentError("seed", seed, "must be a whole number")
    return seed


def _checked_share(invalid: float) -> float:
    if isinstance(invalid, bool) or not isinstance(invalid, (int, float)) or not 0.0 <= invalid <= 1.0:
        raise InvalidArgumentError("invalid", invalid, "must be a share from 0 to 1")
    return float(invalid)


def _in_utc(start: datetime | None) -> datetime:
    if start is None:
        return datetime.now(UTC)
    if not isinstance(start, datetime):
        raise InvalidArgumentError("start", start, "must be a datetime, or None for now")
    return start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
