"""Which sources become which compacted file.

A plan names the sources of one file. It is created before the file is written. Plans keep compactions apart that
run at the same time, or after one that was killed:

- The plans of an hour are numbered without gaps, and each is created only if its number is free. So whoever creates a
  plan has read all plans before it, and no source is in two plans. A run whose number is taken reads the new plan, and
  plans again.
- Every run completes the plans that have no manifest yet, those of killed runs included. The key of the file follows
  from the plan, and the file is created only if it does not exist: two runs that complete one plan make one file.

So the file itself can be the commit: it appears whole, with records that no other file has. A claim that was kept only
in the manifests, which are created last, could not do that: two runs that begin at different times see different
sources, and a reader of the folders would find both of their files.

A source that cannot be read is left out of its file and so of the manifest. Later runs plan it again. A plan of which
no source can be read has no file and stays open.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from truckstream.data.compaction.manifests.manifest import VERSION, CompactionFolder, HourNumber, Manifest, numbered_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["FilePlan", "HourState", "Source", "plan_hour"]

#: Bytes of a compacted file for each byte of a source. Simulated truck records take a third of this
#: (benchmarks/compaction.py), records of random numbers twice as much. It decides how many sources share a file, and
#: nothing else.
COMPACTED_SHARE: Final[Mapping[str, float]] = {".json": 0.1, ".json.gz": 0.4, ".json.zst": 0.4, ".parquet": 0.4}


class Source(NamedTuple):
    """An object of the batcher that is to be compacted."""

    key: str
    size: int
    suffix: str

    @property
    def compacted_size(self) -> float:
        """An estimate of the bytes that its records take in a compacted file."""
        return self.size * COMPACTED_SHARE[self.suffix]


class FilePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The sources of one file, in the order of their arrival."""

    hour: datetime
    number: int
    sources: list[str]
    version: int = VERSION

    @property
    def at(self) -> HourNumber:
        return HourNumber(self.hour, self.number)

    @property
    def name(self) -> str:
        """How the footer of the file names its plan."""
        return f"{self.hour:%Y-%m-%dT%H}_{self.number:05}"

    def key(self, folder: CompactionFolder) -> str:
        return numbered_key(folder.plans, self.at)

    def file_key(self, folder: CompactionFolder) -> str:
        return folder.file_key(self.hour, self.sources)


class HourState(NamedTuple):
    """The plans of an hour, and the manifests of those that are complete."""

    plans: Sequence[FilePlan]
    manifests: Sequence[Manifest]

    @property
    def open_plans(self) -> list[FilePlan]:
        """The plans without a manifest."""
        complete = {each.number for each in self.manifests}
        return [plan for plan in self.plans if plan.number not in complete]

    @property
    def planned(self) -> set[str]:
        """The keys of all sources that are in a file, or in an open plan."""
        keys = {key for each in self.manifests for key in each.sources}
        return keys.union(*(plan.sources for plan in self.open_plans))

    @property
    def next_number(self) -> int:
        return max((plan.number for plan in self.plans), default=0) + 1


def plan_hour(hour: datetime, sources: Iterable[Source], state: HourState, target_size: int) -> list[FilePlan]:
    """Return plans for the sources of an hour that are in none, numbered after those that exist."""
    planned = state.planned
    rest = sorted((each for each in sources if each.key not in planned), key=_name)
    groups = _groups(rest, target_size)
    return [
        FilePlan(hour=hour, number=number, sources=[each.key for each in group])
        for number, group in enumerate(groups, state.next_number)
    ]


def _name(source: Source) -> str:
    """Return the name without its folders, which begins with the time of arrival."""
    return source.key.rpartition("/")[2]


def _groups(sources: Iterable[Source], target_size: int) -> Iterator[list[Source]]:
    group: list[Source] = []
    size = 0.0
    for each in sources:
        if group and size + each.compacted_size > target_size:
            yield group
            group, size = [], 0.0
        group.append(each)
        size += each.compacted_size
    if group:
        yield group
