"""Complete a plan: make its file, store it, and create the manifest.

Each step creates an object that says where the next run has to go on, and none is ever changed:

| killed after | the next run finds | and |
|---|---|---|
| the plan | no file | makes the file |
| the file | the file | creates the manifest, without reading the sources again |
| the manifest | the manifest | has nothing to do |

The file was checked against its sources before it was created, so an existing file needs no second check, and it may
hold fewer sources than this run could read: its footer says which were left out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from truckstream.data.compaction.files.create_once import create_once
from truckstream.data.compaction.files.parquet_file import ParquetFile, read_parquet_file
from truckstream.data.compaction.files.work_folder import work_folder
from truckstream.data.compaction.manifests.manifest import Manifest, SourceList, encode_document, numbered_key
from truckstream.data.compaction.report import BrokenSource, CompactedFile
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from truckstream.batcher.object_store.store import Store
    from truckstream.data.compaction.files.file_builder import FileBuilder
    from truckstream.data.compaction.manifests.manifest import CompactionFolder, SourceFacts
    from truckstream.data.compaction.planning.plan import FilePlan

__all__ = ["Completed", "Completion"]

_GZIP_TYPE: Final = "application/gzip"
_PARQUET_TYPE: Final = "application/vnd.apache.parquet"

_LEFT_OUT: Final = "it could not be read when its file was made; the next run tries it again"


class Completed(NamedTuple):
    """The result of a plan."""

    #: None if no source could be read: then the plan stays open.
    file: CompactedFile | None
    broken: list[BrokenSource]


class Completion:
    """Completes the plans of a store."""

    def __init__(self, store: Store, folder: CompactionFolder, builder: FileBuilder) -> None:
        self._store = store
        self._folder = folder
        self._builder = builder

    async def complete(self, plan: FilePlan) -> Completed:
        """Make the file and the manifest of a plan, as far as they do not exist.

        Raises:
            StoreError: the store cannot be read or written.
            ChecksumError: the file does not hold the records of its sources, and was not stored.
        """
        key = plan.file_key(self._folder)
        with work_folder() as folder:
            if await self._store.look(key) is not None:
                return await self._found(plan, key, folder)
            built = await self._builder.build(plan.sources, {"plan": plan.name}, folder)
            if built.file is None:
                return Completed(None, built.broken)
            if not await self._store_file(plan, key, built.file, built.held):
                return await self._found(plan, key, folder)
            manifest = await self._create_manifest(plan, key, built.file)
            return Completed(_report(manifest, "created"), built.broken)

    async def _store_file(self, plan: FilePlan, key: str, file: ParquetFile, held: list[SourceFacts]) -> bool:
        """Store a file; return False if another run has stored the file of this plan."""
        facts = encode_document(SourceList(sources=held))
        await create_once(self._store, numbered_key(self._folder.source_lists, plan.at), facts, _GZIP_TYPE)
        content = await asyncio.to_thread(file.path.read_bytes)
        return await create_once(self._store, key, content, _PARQUET_TYPE)

    async def _found(self, plan: FilePlan, key: str, folder: Path) -> Completed:
        """Create the manifest of a file that another run has stored."""
        path = folder / "found.parquet"
        content = await self._store.read(key)
        await asyncio.to_thread(path.write_bytes, content)
        file = await asyncio.to_thread(read_parquet_file, path)
        if file.footer.get("plan") != plan.name:
            hint = "Move it to another key, and run the compaction again."
            raise StoreError("ForeignFile", f"{key} is not the file of {plan.name}", hint=hint, retryable=False)
        manifest = await self._create_manifest(plan, key, file)
        broken = [BrokenSource(source, _LEFT_OUT) for source in _left_out(file)]
        return Completed(_report(manifest, "already there"), broken)

    async def _create_manifest(self, plan: FilePlan, key: str, file: ParquetFile) -> Manifest:
        left_out = _left_out(file)
        manifest = Manifest(
            hour=plan.hour,
            number=plan.number,
            file=key,
            size=file.size,
            sha256=file.sha256,
            records=file.records,
            sources=[source for source in plan.sources if source not in left_out],
        )
        manifest_key = numbered_key(self._folder.manifests, plan.at)
        await create_once(self._store, manifest_key, encode_document(manifest), _GZIP_TYPE)
        return manifest


def _left_out(file: ParquetFile) -> set[str]:
    return set(file.footer["left_out"].splitlines())


def _report(manifest: Manifest, outcome: Literal["created", "already there"]) -> CompactedFile:
    return CompactedFile(
        hour=manifest.hour,
        key=manifest.file,
        outcome=outcome,
        sources=len(manifest.sources),
        records=manifest.records,
        size=manifest.size,
    )
