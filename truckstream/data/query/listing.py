"""List the objects of the tables."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from truckstream.data.compaction.manifests.manifest import select_objects
from truckstream.data.compaction.manifests.manifest_reader import read_manifests
from truckstream.data.objects.given_up import given_up_batches
from truckstream.data.query.columns import GIVEN_UP_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from pathlib import Path

    from truckstream.batcher.object_store.store import ObjectStore
    from truckstream.data.objects.catalog import Catalog
    from truckstream.data.objects.given_up import GivenUpBatch

__all__ = ["File", "Listing", "has_objects", "list_tables"]

_logger: Final = logging.getLogger("truckstream")


class File(NamedTuple):
    """An object to read."""

    key: str
    size: int
    modified: datetime


class Listing(NamedTuple):
    """The objects and files that the tables consist of."""

    records: list[File]
    rejected: list[File]
    #: The rows of given_up.
    given_up: list[tuple[Any, ...]]


async def list_tables(
    catalog: Catalog,
    tables: Collection[str],
    since: datetime | None,
    until: datetime | None,
    given_up_store: str | Path | ObjectStore,
    network: Mapping[str, Any],
) -> Listing:
    """Return the objects of the tables, and of given_up the rows. Folders that no table needs are not listed.

    Raises:
        StoreError: the store cannot be listed, or a manifest is broken.
    """
    records = await _records(catalog, since, until) if "records" in tables else []
    rejected = await _rejected(catalog, since, until) if "rejected" in tables else []
    given_up = []
    if "given_up" in tables:
        batches = given_up_batches(given_up_store, since=since, until=until, on_broken=_warn, **network)
        given_up = [_row(batch) async for batch in batches]
    return Listing(records, rejected, given_up)


async def has_objects(catalog: Catalog, since: datetime | None, until: datetime | None) -> bool:
    """Return whether a store has any objects of this time."""
    for prefix in (catalog.prefix, catalog.rejected_prefix):
        async for _ in catalog.objects(prefix, since=since, until=until):
            return True
    return bool(await read_manifests(catalog, since=since, until=until))


async def _records(catalog: Catalog, since: datetime | None, until: datetime | None) -> list[File]:
    # A compaction may delete sources. If the manifests were read first, one that ends between the two listings would
    # make its records disappear.
    listed = [each async for each in catalog.objects(catalog.prefix, since=since, until=until)]
    files, sources = select_objects(listed, await read_manifests(catalog, since=since, until=until))
    compacted = [File(each.file, each.size, each.hour) for each in files]
    return [*compacted, *(File(each.key, each.size, each.modified) for each in sources)]


async def _rejected(catalog: Catalog, since: datetime | None, until: datetime | None) -> list[File]:
    listed = catalog.objects(catalog.rejected_prefix, since=since, until=until)
    return [File(each.key, each.size, each.modified) async for each in listed]


def _row(batch: GivenUpBatch) -> tuple[Any, ...]:
    values = msgspec.structs.asdict(batch)
    return tuple(_without_zone(values[name]) for name, _ in GIVEN_UP_COLUMNS)


def _without_zone(value: Any) -> Any:
    """Return a time in UTC as a TIMESTAMP has it; any other value as it is."""
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


def _warn(key: str, reason: str) -> None:
    _logger.warning("%s is left out of given_up, because it is no document about a batch: %s", key, reason)
