"""The number of records that each hour's objects hold, within bounds, compared with a metric of the stream.

An object states how many records its group has and when the first of them arrived. So a group whose records can only
lie in one hour counts for it, and a group beside a full hour counts for one hour or the other. The number of records
that the stream took in an hour must lie between these bounds. The hours in which the store's first and last groups lie
are not compared, because they may have begun or ended in the middle.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final

from truckstream.data.audit.findings import AuditFinding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from truckstream.data.audit.shards.groups import StoredGroupObjects

__all__ = ["HOUR", "HourlyCounts"]

#: Seconds.
HOUR: Final = 3_600

#: The arrival of a record is approximate, and the metric has a clock of its own.
_CLOCK_TOLERANCE: Final = 60.0

#: The last record of a group arrives so much later than the first at most.
_LONGEST_GROUP: Final = 900.0


class HourlyCounts:
    """The records of one stream by hour. Hours are seconds since the epoch."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self._certain: Counter[int] = Counter()
        self._possible: Counter[int] = Counter()
        self._first = float("inf")
        self._last = float("-inf")

    def add_shard(self, groups: Iterable[StoredGroupObjects]) -> None:
        """Take the groups of a shard in order."""
        for group, following in pairwise(chain(groups, [None])):
            if group is None:
                return
            begin = group.main.arrival
            end = begin + _LONGEST_GROUP
            if following is not None:
                end = max(begin, min(end, following.main.arrival))
            self._first, self._last = min(self._first, begin), max(self._last, begin)
            hours = range(_hour(begin - _CLOCK_TOLERANCE), _hour(end + _CLOCK_TOLERANCE) + HOUR, HOUR)
            counts = self._certain if len(hours) == 1 else self._possible
            for hour in hours:
                counts[hour] += group.main.kinesis_records

    def hours(self, since: float | None, until: float) -> range:
        """Return the whole hours that can be compared, of those from `since` on and before `until`."""
        if self._first > self._last:
            return range(0)
        begin = max(self._first, since or 0.0)
        return range(_hour(begin) + HOUR, _hour(min(self._last, until)), HOUR)

    def compare(self, hours: range, taken: Mapping[int, int]) -> list[AuditFinding]:
        """Return a finding for each hour in which the stream took another number of records than the objects hold."""
        findings = []
        for hour in hours:
            least = self._certain[hour]
            most = least + self._possible[hour]
            count = taken.get(hour, 0)
            if least <= count <= most:
                continue
            held = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            meaning = "records are missing" if count > most else "records are stored twice, or the metric lacks some"
            text = (
                f"from {datetime.fromtimestamp(hour, UTC):%Y-%m-%dT%H:%MZ} on, {self.stream} took {count:,} records in "
                f"an hour, by CloudWatch, and the objects hold {held}: {meaning}"
            )
            findings.append(AuditFinding.of("count", text, place=(self.stream, "")))
        return findings


def _hour(time: float) -> int:
    return int(time // HOUR) * HOUR
