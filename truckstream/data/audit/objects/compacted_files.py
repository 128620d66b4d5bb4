"""Check the compacted files of a store, and let them stand for the originals that were deleted since.

A manifest states the size and the SHA-256 of a file, and the objects whose records it holds. Readers leave these
objects out, so a file that is missing or changed is as bad as a missing object, also while the originals exist.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from truckstream.data.audit.findings import AuditFinding
from truckstream.data.audit.objects.audited_object import AuditedObject
from truckstream.data.compaction.manifests.manifest import HOUR
from truckstream.data.compaction.manifests.manifest_reader import compacted_hours, read_manifests, read_source_facts
from truckstream.data.objects.catalog import ListedObject, is_within
from truckstream.data.objects.object_name import ObjectName
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from truckstream.data.audit.findings import FindingKind
    from truckstream.data.audit.objects.inventory import Inventory
    from truckstream.data.compaction.manifests.manifest import Manifest
    from truckstream.data.objects.catalog import Catalog

__all__ = ["CompactedFiles"]

#: A file is read in parts, so that memory does not grow with its size.
_PART_BYTES: Final = 8 * 1024 * 1024


class CompactedFiles:
    """Checks the files of a time.

    Args:
        catalog: the store.
        inventory: has the objects that exist, and takes those that only a file holds now.
        read_contents: whether the files are read; else only their sizes are compared.
    """

    def __init__(self, catalog: Catalog, inventory: Inventory, *, read_contents: bool) -> None:
        self._catalog = catalog
        self._inventory = inventory
        self._read_contents = read_contents
        self.files = 0
        #: The objects that were deleted after their compaction.
        self.deleted_originals = 0
        self.findings: list[AuditFinding] = []

    async def check(self, since: datetime | None, until: datetime | None) -> None:
        """Check the files of the hours that overlap a time.

        Raises:
            StoreError: a file cannot be looked at.
        """
        self._inventory.index_keys()
        async for manifest in self._manifests(since, until):
            await self._check(manifest, since, until)

    async def _manifests(self, since: datetime | None, until: datetime | None) -> AsyncIterator[Manifest]:
        """Yield the manifests, those of one hour at a time: each may name thousands of sources."""
        try:
            for hour in await compacted_hours(self._catalog, since=since, until=until):
                for manifest in await read_manifests(self._catalog, since=hour, until=hour + HOUR):
                    yield manifest
        except StoreError as error:
            self._report("unreadable", f"the compacted files cannot be checked: {error}")

    async def _check(self, manifest: Manifest, since: datetime | None, until: datetime | None) -> None:
        self.files += 1
        if problem := await self._problem(manifest):
            self._report("compacted", f"{manifest.file} {problem}", manifest.file)
        for source in manifest.sources:
            other = self._inventory.claim(source, manifest.file)
            if other != manifest.file:
                self._report("compacted", f"{source} is in {other} and in {manifest.file}", other, manifest.file)
        await self._add_deleted(manifest, since, until)

    async def _problem(self, manifest: Manifest) -> str | None:
        """Return what is wrong with a file; None if it is as its manifest states."""
        store = self._catalog.store
        found = await store.look(manifest.file)
        if found is None:
            return "is missing, and readers look for the records of its sources there"
        if found.size != manifest.size:
            return f"has {found.size:,} bytes, and its manifest states {manifest.size:,}"
        if not self._read_contents:
            return None
        digest = sha256()
        for start in range(0, manifest.size, _PART_BYTES):
            digest.update(await store.read_range(manifest.file, start, min(_PART_BYTES, manifest.size - start)))
        return None if digest.hexdigest() == manifest.sha256 else "has another SHA-256 than its manifest states"

    async def _add_deleted(self, manifest: Manifest, since: datetime | None, until: datetime | None) -> None:
        """Put the originals into the inventory that no longer exist."""
        deleted = {key for key in manifest.sources if not self._inventory.has(key) and _is_of_time(key, since, until)}
        if not deleted:
            return
        try:
            facts = await read_source_facts(self._catalog, manifest)
        except StoreError as error:
            self._report("unreadable", f"the originals of {manifest.file} are deleted, and so are their facts: {error}")
            return
        for key in sorted(deleted & facts.keys()):
            name = ObjectName.parse(key)
            listed = name and ListedObject(key, facts[key].size, name.arrival, name)
            read = listed and AuditedObject.of(listed, "valid", facts[key].metadata)
            if read is not None:
                self.deleted_originals += 1
                self._inventory.add(read[0])

    def _report(self, kind: FindingKind, text: str, *keys: str) -> None:
        self.findings.append(AuditFinding.of(kind, text, *keys))


def _is_of_time(key: str, since: datetime | None, until: datetime | None) -> bool:
    name = ObjectName.parse(key)
    return name is not None and is_within(name.arrival, since, until)
