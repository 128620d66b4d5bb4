"""Commit the compacted files of an hour, and leave a mark of each commit in the store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from truckstream.data.compaction.manifests.marks import Marks
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from truckstream.batcher.object_store.store import Store
    from truckstream.data.compaction.iceberg.iceberg_table import IcebergTable
    from truckstream.data.compaction.manifests.manifest import CompactionFolder

__all__ = ["IcebergCommits"]


class IcebergCommits:
    """Adds the files of a store to a table.

    Args:
        store: the store.
        url: its URL, which the table's metadata will contain.
        folder: the keys of the compactions.
        table: the table.

    Raises:
        ConfigurationError: the store has no URL that another program could read.
    """

    def __init__(self, store: Store, url: str | None, folder: CompactionFolder, table: IcebergTable) -> None:
        if url is None or urlsplit(url).scheme not in {"s3", "file"}:
            hint = (
                "Pass the store as s3://bucket, file:///directory or a path: an Iceberg table names its files by URL."
            )
            raise ConfigurationError("store", f"is {url or 'an object'}", hint)
        self._url = url
        self._table = table
        self._marks = Marks(store, folder, f"_iceberg/{table.uuid}")

    async def commit(self, hour: datetime) -> int:
        """Add the complete files of an hour that the table does not have; return how many were added.

        Raises:
            StoreError: the store cannot be read or written.
            IcebergError: a file was not added, or it is unknown whether it was.
        """
        added = 0
        for manifest in await self._marks.missing(hour):
            added += await asyncio.to_thread(self._table.add, file_url(self._url, manifest.file), manifest.file)
            await self._marks.set(manifest)
        return added


def file_url(store: str, key: str) -> str:
    """Return the URL of an object as pyiceberg reads it: it takes the path of a file as it is."""
    parts = urlsplit(store)
    root = f"file://{unquote(parts.path)}" if parts.scheme == "file" else store
    return f"{root.rstrip('/')}/{key}"
