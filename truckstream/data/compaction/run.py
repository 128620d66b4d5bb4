"""One run of a compaction: the work on each hour, and its account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from truckstream.data.compaction.report import BrokenSource, CompactedFile, CompactionProgress, CompactionReport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.data.compaction.completion import Completion
    from truckstream.data.compaction.iceberg.commits import IcebergCommits
    from truckstream.data.compaction.manifests.manifest import CompactionFolder
    from truckstream.data.compaction.originals import OriginalTags
    from truckstream.data.compaction.planning.plan import FilePlan, Source
    from truckstream.data.compaction.planning.planner import Planner

__all__ = ["CompactionRun"]


class CompactionRun:
    """Compacts hours one after the other.

    Args:
        folder: the keys of the compactions.
        planner: makes the plans of an hour.
        tags: tags the sources of complete files; None to leave them as they are.
        commits: adds complete files to an Iceberg table; None if there is none.
        on_progress: called after each group of sources, and after each file.
        dry_run: whether to return the plans only.
    """

    def __init__(
        self,
        folder: CompactionFolder,
        planner: Planner,
        tags: OriginalTags | None,
        commits: IcebergCommits | None,
        on_progress: Callable[[CompactionProgress], None] | None,
        *,
        dry_run: bool,
    ) -> None:
        self._folder = folder
        self._planner = planner
        self._tags = tags
        self._commits = commits
        self._on_progress = on_progress
        self._dry_run = dry_run
        self._hour = datetime.min.replace(tzinfo=UTC)
        self._sources = 0
        self._records = 0
        self._files: list[CompactedFile] = []
        self._broken: list[BrokenSource] = []
        self._committed = 0
        self._tagged = 0

    @property
    def report(self) -> CompactionReport:
        return CompactionReport(files=self._files, broken=self._broken, committed=self._committed, tagged=self._tagged)

    async def compact_hour(self, hour: datetime, sources: Sequence[Source], completion: Completion) -> None:
        """Complete all plans of an hour. The work after a complete file is also done for the files of earlier runs."""
        self._hour = hour
        plans = await self._planner.plan(hour, sources)
        if self._dry_run:
            self._files += [self._planned(plan) for plan in plans]
            return
        for plan in plans:
            completed = await completion.complete(plan)
            self._broken += completed.broken
            self._files += [completed.file] if completed.file else []
            self._show()
        if self._commits is not None:
            self._committed += await self._commits.commit(hour)
        if self._tags is not None:
            self._tagged += await self._tags.tag(hour)

    def count(self, records: int, sources: int) -> None:
        """Count what was read for the present file."""
        self._records += records
        self._sources += sources
        self._show()

    def _planned(self, plan: FilePlan) -> CompactedFile:
        return CompactedFile(
            hour=plan.hour, key=plan.file_key(self._folder), outcome="planned", sources=len(plan.sources)
        )

    def _show(self) -> None:
        if self._on_progress is not None:
            self._on_progress(CompactionProgress(self._hour, self._sources, self._records, len(self._files)))
