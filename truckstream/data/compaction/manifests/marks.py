"""Marks: an empty object for each thing that was done with a compacted file after it was complete.

A run that was killed before the mark does the thing again, so it must be harmless to do it twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.data.compaction.files.create_once import create_once
from truckstream.data.compaction.manifests.manifest import HOUR, CompactionFolder, HourNumber, Manifest, numbered_key
from truckstream.data.compaction.manifests.manifest_reader import read_documents

if TYPE_CHECKING:
    from datetime import datetime

    from truckstream.batcher.object_store.store import Store

__all__ = ["Marks"]


class Marks:
    """The marks of one thing that is done with each file.

    Args:
        store: the store.
        folder: the keys of the compactions.
        name: the folder of the marks, such as "_tagged".
    """

    def __init__(self, store: Store, folder: CompactionFolder, name: str) -> None:
        self._store = store
        self._folder = folder
        self._path = f"{folder.path}/{name}"

    async def missing(self, hour: datetime) -> list[Manifest]:
        """Return the manifests of an hour that have no mark.

        Raises:
            StoreError: the store cannot be read.
        """
        manifests = await read_documents(self._store, self._folder.manifests, Manifest, hour, hour + HOUR)
        return [each for each in manifests if await self._store.look(self._key(each)) is None]

    async def set(self, manifest: Manifest) -> None:
        """Mark a file.

        Raises:
            StoreError: the mark is not stored.
        """
        await create_once(self._store, self._key(manifest), b"", "application/gzip")

    def _key(self, manifest: Manifest) -> str:
        return numbered_key(self._path, HourNumber(manifest.hour, manifest.number))
