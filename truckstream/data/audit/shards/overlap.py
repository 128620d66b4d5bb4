"""Two groups whose numbers overlap: are records stored twice, or do the groups interleave?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.data.audit.findings import AuditFinding
from truckstream.data.audit.objects.stored_records import common_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.data.audit.objects.stored_records import StoredRecords
    from truckstream.data.audit.shards.groups import StoredGroupObjects

__all__ = ["judge_overlap"]

_CAVEAT = "With a ParallelizationFactor above 1 groups interleave and overlap without that"


def judge_overlap(
    one: StoredGroupObjects,
    other: StoredGroupObjects,
    records: tuple[Sequence[StoredRecords], Sequence[StoredRecords]] | None,
) -> AuditFinding | None:
    """Return the finding about two groups that overlap; None if they interleave and have no record in common.

    `records` are those of the two groups' objects; None if they were not read.
    """
    main = other.main
    place, numbers = main.place, (other.first, min(one.last, other.last))
    keys = (*one.keys, *other.keys)
    common = None if records is None else common_records(*records)
    if common == 0:
        return None
    if common is not None:
        text = f"{main.key} has {common:,} records that {one.main.key} has too"
    elif records is None:
        text = (
            f"{main.key} begins within {one.main.key}, so that records are stored twice. {_CAVEAT}: read the contents"
        )
    else:
        text = f"{main.key} begins within {one.main.key}, and their formats cannot be compared. {_CAVEAT}"
    return AuditFinding.of("overlap", text, *keys, place=place, numbers=numbers)
