"""Keeps the leases in step with the shards: lists them now and then, creates leases and deletes old ones."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from truckstream.consumer.leases.shard_sync import has_hole, missing_leases, removable_leases
from truckstream.consumer.upkeep.held_leases import wait_for

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from truckstream.consumer.leases.lease import Lease
    from truckstream.consumer.leases.lease_table import LeaseTable
    from truckstream.consumer.leases.options import LeaseOptions
    from truckstream.kinesis.shard_map import Shard

    ListShards = Callable[[], Awaitable[Mapping[str | None, Sequence[Shard]]]]

__all__ = ["ShardKeeper"]

_logger: Final = logging.getLogger("truckstream.consumer")


class ShardKeeper:
    """Shards are listed rarely: new ones are mostly known from the end of their parents.

    `read` reads the table, and `changed` is set after leases may have been created.
    """

    def __init__(
        self,
        table: LeaseTable,
        options: LeaseOptions,
        list_shards: ListShards,
        rng: random.Random,
        clock: Callable[[], float],
        read: Callable[[], Awaitable[Mapping[str, Lease]]],
        changed: asyncio.Event,
    ) -> None:
        self._table = table
        self._options = options
        self._list_shards = list_shards
        self._rng = rng
        self._clock = clock
        self._read = read
        self._changed = changed
        #: The streams that were listed; None before that.
        self.streams: frozenset[str | None] | None = None
        self._hole_seen_at: float | None = None
        self._list_again = asyncio.Event()

    async def sync(self) -> None:
        """Create the missing leases. If there are none, delete those that have served their time.

        The table is read before the shards are listed, so that a lease without a listed shard is one of an old shard.
        """
        leases = await self._read()
        deadline = self._clock() + self._options.lease_duration
        listing = await self._list_shards()
        self.streams = frozenset(listing)
        for stream, shards in listing.items():
            missing = missing_leases(stream, shards, leases.values(), self._options)
            removable = [] if missing else removable_leases(stream, shards, leases.values())
            for lease in missing + removable:
                if self._clock() > deadline:  # others may have ended these shards since
                    self._list_again.set()
                    return
                await (self._table.delete(lease) if removable else self._table.create(lease))
        self._changed.set()

    async def keep_forever(self) -> None:
        """List the shards from time to time, and when a shard seems to be forgotten."""
        delay = self._options.shard_interval
        while True:
            await wait_for(self._list_again, delay * self._rng.uniform(0.8, 1.2))
            delay = self._options.shard_interval
            try:
                await self.sync()
            except Exception as error:  # noqa: BLE001 - any error of the session leaves the leases as they are
                _logger.warning("the shards cannot be listed: %s", error)
                delay = min(delay, self._options.lease_duration)

    def look_for_holes(self, leases: Iterable[Lease], now: float) -> None:
        """List the shards when a part of the hash range has been without a lease for a while."""
        if not self._options.covers_streams:
            return
        leases = list(leases)
        if not any(has_hole(stream, leases) for stream in self.streams or ()):
            self._hole_seen_at = None
        elif self._hole_seen_at is None:
            self._hole_seen_at = now
        elif now >= self._hole_seen_at + self._options.lease_duration / 2:
            self._hole_seen_at = None
            self._list_again.set()
