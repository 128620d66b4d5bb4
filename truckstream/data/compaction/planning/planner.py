"""Create the plans of an hour in the store, and find those that are not complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.data.compaction.files.create_once import create_once
from truckstream.data.compaction.manifests.manifest import HOUR, CompactionFolder, Manifest, encode_document
from truckstream.data.compaction.manifests.manifest_reader import read_documents
from truckstream.data.compaction.planning.plan import FilePlan, HourState, Source, plan_hour

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from truckstream.batcher.object_store.store import Store

__all__ = ["Planner"]


class Planner:
    """Plans the compaction of hours.

    Args:
        store: the store.
        folder: the keys of the plans and manifests.
        target_size: bytes of a compacted file.
        dry_run: whether to create no plans.
    """

    def __init__(self, store: Store, folder: CompactionFolder, target_size: int, *, dry_run: bool) -> None:
        self._store = store
        self._folder = folder
        self._target_size = target_size
        self._dry_run = dry_run

    async def plan(self, hour: datetime, sources: Sequence[Source]) -> list[FilePlan]:
        """Return all plans of an hour that have no manifest, and create those that are missing.

        Raises:
            StoreError: the store cannot be read or written.
        """
        while True:
            state = await self._read(hour)
            plans = plan_hour(hour, sources, state, self._target_size)
            if self._dry_run or await self._create(plans):
                return [*state.open_plans, *plans]

    async def _read(self, hour: datetime) -> HourState:
        """Return the plans and manifests of an hour.

        The plans come first: a manifest whose plan was not listed yet does no harm, but a plan whose manifest was not
        listed yet would be completed again.
        """
        plans = await read_documents(self._store, self._folder.plans, FilePlan, hour, hour + HOUR)
        return HourState(plans, await read_documents(self._store, self._folder.manifests, Manifest, hour, hour + HOUR))

    async def _create(self, plans: Sequence[FilePlan]) -> bool:
        """Create plans one after the other; return False if another run has taken a number."""
        for plan in plans:
            key = plan.key(self._folder)
            if not await create_once(self._store, key, encode_document(plan), "application/gzip"):
                return False
        return True
