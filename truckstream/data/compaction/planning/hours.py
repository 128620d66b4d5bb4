"""Find the hours of a store that have something to compact."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from truckstream.data.compaction.manifests.manifest import CompactionFolder, hour_of
from truckstream.data.compaction.manifests.manifest_reader import planned_hours
from truckstream.data.compaction.planning.plan import Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from truckstream.data.objects.catalog import Catalog

__all__ = ["hours_with_objects"]

#: Objects are listed by the day, so that those of a day are in memory. They take about 250 bytes each.
_DAY: Final = timedelta(days=1)


async def hours_with_objects(
    catalog: Catalog, folder: CompactionFolder, since: datetime | None, until: datetime
) -> AsyncIterator[tuple[datetime, list[Source]]]:
    """Yield each hour that has sources or plans, with its sources; oldest first."""
    for start in await _days(catalog, folder, since, until):
        begin, end = max(start, since or start), min(start + _DAY, until)
        hours: dict[datetime, list[Source]] = defaultdict(list)
        async for each in catalog.objects(catalog.prefix, since=begin, until=end):
            hours[hour_of(each.name.arrival)].append(Source(each.key, each.size, each.name.suffix))
        for hour in await planned_hours(catalog.store, folder, begin, end):
            hours.setdefault(hour, [])  # a killed run's file may need its manifest, even if all sources are deleted
        for hour in sorted(hours):
            yield hour, hours[hour]


async def _days(catalog: Catalog, folder: CompactionFolder, since: datetime | None, until: datetime) -> list[datetime]:
    """Return the beginnings of the days that have objects or plans, oldest first."""
    days = {_day_of(hour) for hour in await planned_hours(catalog.store, folder, since, until)}
    async for each in catalog.objects(catalog.prefix, since=since, until=until):
        days.add(_day_of(each.name.arrival))
    return sorted(days)


def _day_of(time: datetime) -> datetime:
    return hour_of(time).replace(hour=0)
