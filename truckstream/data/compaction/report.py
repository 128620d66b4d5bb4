"""The account of a compaction, and its progress."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

__all__ = ["BrokenSource", "CompactedFile", "CompactionProgress", "CompactionReport"]


class BrokenSource(NamedTuple):
    """A source that is in no compacted file, because it cannot be read."""

    key: str
    problem: str


class CompactedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of one compaction."""

    hour: datetime
    key: str
    #: "planned" in a dry run, whose files have no records and no size; "already there" if a killed run or another one
    #: had stored the file without its manifest.
    outcome: Literal["created", "already there", "planned"]
    sources: int
    records: int | None = None
    #: Bytes.
    size: int | None = None


class CompactionReport(msgspec.Struct, frozen=True, kw_only=True):
    """The files that a compaction has made, and the sources that it could not read."""

    files: list[CompactedFile]
    broken: list[BrokenSource]
    #: Files that were added to the Iceberg table, those of earlier runs included.
    committed: int = 0
    #: Originals that were tagged for the bucket's lifecycle rules.
    tagged: int = 0

    @property
    def clean(self) -> bool:
        """True if every source of the hours is in a compacted file now."""
        return not self.broken

    @property
    def records(self) -> int:
        return sum(each.records or 0 for each in self.files)


class CompactionProgress(NamedTuple):
    """How far a compaction is."""

    #: The hour that it works on.
    hour: datetime
    #: Sources and records that were read.
    sources: int
    records: int
    #: Files that were stored.
    files: int
