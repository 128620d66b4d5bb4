"""Read the sources of a plan, and make one sorted Parquet file of their records.

A few sources at a time are in memory, so that the sources of a file may have many times its size.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from truckstream.batcher.storing.object_metadata import ObjectMetadata
from truckstream.data.compaction.files.parquet_file import ParquetFile, ParquetStage
from truckstream.data.compaction.files.source_rows import BrokenSourceError, SourceRows
from truckstream.data.compaction.manifests.manifest import SourceFacts
from truckstream.data.compaction.report import BrokenSource
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from arro3 import core

    from truckstream.batcher.object_store.store import Store, StoredObject

__all__ = ["BuiltFile", "FileBuilder"]

#: The bytes of sources that are read at the same time; a larger source is read alone. Decoded, they take a few times
#: as much.
_BYTES_AT_ONCE: Final = 16 * 1024 * 1024

#: Sources that are looked at, and then read, at the same time.
_SOURCES_AT_ONCE: Final = 32

_GONE: Final = "it is not in the store any more"


class BuiltFile(NamedTuple):
    """A file that is not stored yet."""

    #: None if no source could be read.
    file: ParquetFile | None
    held: list[SourceFacts]
    broken: list[BrokenSource]


class _Looked(NamedTuple):
    key: str
    size: int
    #: Without HTTP headers, whose names have capital letters.
    metadata: dict[str, str]


class FileBuilder:
    """Makes the files of a store.

    Args:
        store: the store of the sources.
        schema: the schema of the records.
        sort_by: the columns by which the records are sorted.
        memory_limit: the memory that DuckDB may take, such as "1GB".
        on_records: called with the number of records and of sources that were read.
    """

    def __init__(
        self,
        store: Store,
        schema: Any,
        sort_by: Sequence[str],
        memory_limit: str,
        on_records: Callable[[int, int], None],
    ) -> None:
        self._store = store
        self._rows = SourceRows(schema)
        self._sort_by = sort_by
        self._memory_limit = memory_limit
        self._on_records = on_records

    async def build(self, sources: Sequence[str], footer: Mapping[str, str], folder: Path) -> BuiltFile:
        """Make a file of sources. Those that cannot be read are left out, and named in the footer as `left_out`.

        Raises:
            StoreError: the store cannot be read.
            ChecksumError: the file does not hold the records of its sources.
        """
        held: list[SourceFacts] = []
        broken: list[BrokenSource] = []
        with await asyncio.to_thread(ParquetStage, folder, self._rows.schema, self._memory_limit) as stage:
            for start in range(0, len(sources), _SOURCES_AT_ONCE):
                looked = await asyncio.gather(*map(self._look, sources[start : start + _SOURCES_AT_ONCE]))
                broken += [each for each in looked if isinstance(each, BrokenSource)]
                for some in _by_bytes([each for each in looked if isinstance(each, _Looked)]):
                    contents = await asyncio.gather(*(self._read(each.key) for each in some))
                    read, unreadable = await asyncio.to_thread(self._add, stage, some, contents)
                    held += read
                    broken += unreadable
                    self._on_records(sum(each.records for each in read), len(some))
            if not held:
                return BuiltFile(None, held, broken)
            left_out = "\n".join(sorted(each.key for each in broken))
            file = await asyncio.to_thread(stage.write, self._sort_by, {**footer, "left_out": left_out})
        return BuiltFile(file, held, broken)

    async def _look(self, key: str) -> _Looked | BrokenSource:
        found: StoredObject | None = await self._store.look(key)
        if found is None:
            return BrokenSource(key, _GONE)
        return _Looked(key, found.size, {name: value for name, value in found.metadata.items() if name.islower()})

    async def _read(self, key: str) -> bytes | None:
        try:
            return await self._store.read(key)
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def _add(
        self, stage: ParquetStage, sources: Sequence[_Looked], contents: Sequence[bytes | None]
    ) -> tuple[list[SourceFacts], list[BrokenSource]]:
        """Decode sources and stage their rows. Return those that could be read, and those that could not."""
        held, broken, tables = [], [], []
        for source, content in zip(sources, contents, strict=True):
            try:
                table = self._decode(source, content)
            except BrokenSourceError as error:
                broken.append(BrokenSource(source.key, str(error)))
                continue
            tables.append(table)
            facts = SourceFacts(key=source.key, size=source.size, records=table.num_rows, metadata=source.metadata)
            held.append(facts)
        if tables:
            stage.add(tables)
        return held, broken

    def _decode(self, source: _Looked, content: bytes | None) -> core.Table:
        if content is None:
            raise BrokenSourceError(_GONE)
        metadata = ObjectMetadata.read(source.metadata)
        name = source.key.rpartition("/")[2]
        return self._rows.read(name[name.index(".") :], content, records=int(metadata.lines) if metadata else None)


def _by_bytes(sources: Sequence[_Looked]) -> Iterator[list[_Looked]]:
    """Divide sources into groups that may be in memory together."""
    group: list[_Looked] = []
    for each in sources:
        if group and sum(one.size for one in group) + each.size > _BYTES_AT_ONCE:
            yield group
            group = []
        group.append(each)
    if group:
        yield group
