"""Read the plans or the manifests of a time from a store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from truckstream.data.compaction.manifests.manifest import (
    CompactionFolder,
    HourNumber,
    Manifest,
    SourceFacts,
    SourceList,
    decode_document,
    numbered_key,
    numbered_range,
    parse_numbered_key,
)

if TYPE_CHECKING:
    from datetime import datetime

    from truckstream.batcher.object_store.store import Store
    from truckstream.data.objects.catalog import Catalog

__all__ = ["compacted_hours", "planned_hours", "read_documents", "read_manifests", "read_source_facts"]

_READ_AT_ONCE: Final = 16

_Document = TypeVar("_Document", bound=msgspec.Struct)


async def read_manifests(
    catalog: Catalog, *, since: datetime | None = None, until: datetime | None = None
) -> list[Manifest]:
    """Return the manifests of the hours that overlap a time, in their order: a listing, and a request for each.

    Pass them to `select_objects`, together with the sources of this time.

    Raises:
        StoreError: the store cannot be read, or a manifest is broken.
    """
    folder = CompactionFolder(catalog.prefix).manifests
    return await read_documents(catalog.store, folder, Manifest, since, until)


async def read_source_facts(catalog: Catalog, manifest: Manifest) -> dict[str, SourceFacts]:
    """Return the facts of a file's sources by their keys.

    A source whose file was stored by a run, and its facts by another that could not read it, has none.

    Raises:
        StoreError: the store cannot be read, or the object with the facts is broken.
    """
    key = numbered_key(CompactionFolder(catalog.prefix).source_lists, HourNumber(manifest.hour, manifest.number))
    facts = decode_document(SourceList, key, await catalog.store.read(key)).sources
    return {each.key: each for each in facts if each.key in set(manifest.sources)}


async def read_documents(
    store: Store, folder: str, kind: type[_Document], since: datetime | None, until: datetime | None
) -> list[_Document]:
    """Return the documents in the folder of plans or of manifests."""
    keys = await _list(store, folder, *numbered_range(folder, since, until))
    free = asyncio.Semaphore(_READ_AT_ONCE)

    async def read(key: str) -> _Document:
        async with free:
            return decode_document(kind, key, await store.read(key))

    return await asyncio.gather(*map(read, keys))


async def planned_hours(
    store: Store, folder: CompactionFolder, since: datetime | None, until: datetime | None
) -> set[datetime]:
    """Return the hours of a time that have plans."""
    return await _hours(store, folder.plans, since, until)


async def compacted_hours(
    catalog: Catalog, *, since: datetime | None = None, until: datetime | None = None
) -> list[datetime]:
    """Return the hours of a time that have manifests, in their order.

    Raises:
        StoreError: the store cannot be listed.
    """
    return sorted(await _hours(catalog.store, CompactionFolder(catalog.prefix).manifests, since, until))


async def _hours(store: Store, folder: str, since: datetime | None, until: datetime | None) -> set[datetime]:
    keys = await _list(store, folder, *numbered_range(folder, since, until))
    return {at.hour for key in keys if (at := parse_numbered_key(key))}


async def _list(store: Store, folder: str, start: str, stop: str) -> list[str]:
    keys: list[str] = []
    async for chunk in store.list(folder, after=start):
        keys += [each.key for each in chunk if start < each.key < stop and parse_numbered_key(each.key)]
        if store.lists_in_order and chunk and chunk[-1].key >= stop:
            break
    return sorted(keys)
