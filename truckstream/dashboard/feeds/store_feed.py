"""Fill a view from stored records: a replay, which the page can move in time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from truckstream.dashboard.feeds.replay_clock import ReplayClock
from truckstream.dashboard.view.source import ViewSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.dashboard.feeds.replay_table import ReplayTable
    from truckstream.dashboard.serving.replay_control import ReplayCommand
    from truckstream.dashboard.view.fleet_view import FleetView

__all__ = ["StoreFeed", "store_source"]

STEP_SECONDS: Final = 0.1
#: A jump shows the way of each truck in the time before, in so many steps.
WAY_SECONDS: Final = 300.0
WAY_STEP: Final = 5.0


def store_source(store: str) -> ViewSource:
    """Return the source of a view of a store."""
    return ViewSource(title=store, kind="store")


class StoreFeed:
    """Replays stored records into a view.

    Args:
        view: the view to fill.
        records: the records.
        speed: seconds of the records in a second.
        clock: the machine's time in seconds, of any origin.
    """

    def __init__(
        self,
        view: FleetView,
        records: ReplayTable,
        *,
        speed: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._records = records
        self._clock = clock
        self._replay = ReplayClock(records.first, records.last, speed, clock())
        self._is_elsewhere = True
        self._shown_until = records.first

    def position(self) -> float:
        """Return the time of the records that are shown: the view's clock."""
        return self._shown_until

    def control(self, command: ReplayCommand) -> None:
        """Move the replay, as the page asks."""
        self._is_elsewhere |= self._replay.apply(command, self._clock())
        self._publish()

    async def run(self) -> None:
        """Replay until cancelled. At the end of the records it waits to be moved."""
        while True:
            await self._step()
            await asyncio.sleep(STEP_SECONDS)

    async def _step(self) -> None:
        position = self._replay.position(self._clock())
        if self._is_elsewhere:
            self._is_elsewhere = False
            way = await asyncio.to_thread(self._records.before, position, WAY_SECONDS, WAY_STEP)
            self._view.reset()
            self._view.tick(position)
            for each in way:
                self._view.place(each.record, each.record.to_json(), None, None, each.time)
        elif position > self._shown_until:
            await self._play(self._shown_until, position)
        self._shown_until = position
        self._publish()

    async def _play(self, start: float, end: float) -> None:
        found = await asyncio.to_thread(self._records.between, start, end)
        rejected: list[Any] = await asyncio.to_thread(lambda: list(self._records.rejected_between(start, end)))
        for record, at, count in found:
            self._view.traffic.count(None, count, 0, at, end)
            self._view.place(record, record.to_json(), None, None, at)
        for error, key, at in rejected:
            self._view.traffic.count(None, 1, 0, at, end)
            self._view.reject(error, key, at)

    def _publish(self) -> None:
        self._view.show_replay(self._replay.state(self._clock()))
