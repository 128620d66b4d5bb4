"""List and read every object of a time, check it by itself, and put its facts into the inventory."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.data.audit.findings import AuditFinding
from truckstream.data.audit.objects.audited_object import AuditedObject
from truckstream.data.audit.objects.content import find_damage, reasons_of
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from truckstream.data.audit.objects.audited_object import ObjectKind
    from truckstream.data.audit.objects.inventory import Inventory
    from truckstream.data.objects.catalog import Catalog, ListedObject

__all__ = ["MOST_NAMED", "AuditProgress", "NamedCount", "ObjectScan"]

#: Objects that are read at the same time, and objects after which progress is reported.
_READS_AT_ONCE: Final = 32
_CHUNK: Final = 256

#: Objects of a kind that the report names. All are counted.
MOST_NAMED: Final = 1_000


class AuditProgress(NamedTuple):
    """How far an audit is."""

    phase: str
    objects: int
    bytes: int
    #: Records of the stream that were compared.
    records: int = 0


class NamedCount:
    """A number of objects, and the keys of the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self.keys: list[str] = []

    def add(self, key: str) -> None:
        self.count += 1
        if len(self.keys) < MOST_NAMED:
            self.keys.append(key)


class ObjectScan:
    """Reads a store once.

    Args:
        catalog: the store.
        inventory: takes the facts.
        read_contents: whether the objects are read; else only their metadata are.
        on_progress: called from time to time.
    """

    def __init__(
        self,
        catalog: Catalog,
        inventory: Inventory,
        *,
        read_contents: bool,
        on_progress: Callable[[AuditProgress], None],
    ) -> None:
        self._catalog = catalog
        self._inventory = inventory
        self._read_contents = read_contents
        self._on_progress = on_progress
        self._free = asyncio.Semaphore(_READS_AT_ONCE)
        self.objects = 0
        self.bytes = 0
        self.reasons: Counter[str] = Counter()
        self.without_checksum = NamedCount()
        self.without_metadata = NamedCount()
        self.findings: list[AuditFinding] = []

    async def run(self, since: datetime | None, until: datetime | None) -> None:
        """Read the objects whose first records arrived from `since` on and before `until`.

        Raises:
            StoreError: the store cannot be listed.
        """
        kinds: tuple[tuple[ObjectKind, str], ...] = (
            ("valid", self._catalog.prefix),
            ("rejected", self._catalog.rejected_prefix),
        )
        for kind, prefix in kinds:
            chunk: list[ListedObject] = []
            async for listed in self._catalog.objects(prefix, since=since, until=until):
                chunk.append(listed)
                if len(chunk) == _CHUNK:
                    await self._take(kind, chunk)
                    chunk = []
            await self._take(kind, chunk)

    async def _take(self, kind: ObjectKind, chunk: list[ListedObject]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for listed in chunk:
                tasks.create_task(self._check(kind, listed))
        self._on_progress(AuditProgress("objects", self.objects, self.bytes))

    async def _check(self, kind: ObjectKind, listed: ListedObject) -> None:
        async with self._free:
            try:
                attributes, content = await self._fetch(listed.key)
            except StoreError as error:
                self.findings.append(AuditFinding.of("unreadable", f"{listed.key} cannot be read: {error}", listed.key))
                return
            self._take_object(kind, listed, attributes, content)

    async def _fetch(self, key: str) -> tuple[dict[str, str], bytes | None]:
        store = self._catalog.store
        if self._read_contents:
            fetched = await store.fetch(key)
            if fetched is not None:
                return fetched[0].metadata, fetched[1]
        elif (found := await store.look(key)) is not None:
            return found.metadata, None
        raise StoreError("NoSuchKey", f"{key} was deleted after it was listed")

    def _take_object(
        self, kind: ObjectKind, listed: ListedObject, attributes: dict[str, str], content: bytes | None
    ) -> None:
        self.objects += 1
        self.bytes += listed.size
        read = AuditedObject.of(listed, kind, attributes)
        if read is None:
            self.without_metadata.add(listed.key)
            self._inventory.add_without_metadata(listed)
            return
        each, proof = read
        self._inventory.add(each)
        if not each.has_checksum:
            self.without_checksum.add(each.key)
        damage = find_damage(each, proof, content)
        if damage is not None:
            text = f"{each.key} is damaged: {damage}"
            self.findings.append(AuditFinding.of("damaged", text, each.key, place=each.place, numbers=each.numbers))
        elif kind == "rejected" and content is not None:
            self.reasons.update(reasons_of(each, content) or {})
