"""Audit the groups of one shard: their objects, the chain between them, and the contents of those that overlap."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.data.audit.objects.object_scan import MOST_NAMED
from truckstream.data.audit.objects.stored_records import UNKNOWN, StoredRecords
from truckstream.data.audit.report import AuditedShard
from truckstream.data.audit.shards.aggregate_parts import AggregateParts
from truckstream.data.audit.shards.groups import assemble, check_group
from truckstream.data.audit.shards.overlap import judge_overlap
from truckstream.data.audit.shards.shard_chain import CLOCK_TOLERANCE, ShardChain
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from truckstream.data.audit.findings import AuditFinding
    from truckstream.data.audit.objects.audited_object import AuditedObject
    from truckstream.data.audit.objects.inventory import Inventory
    from truckstream.data.audit.shards.groups import StoredGroupObjects
    from truckstream.data.audit.shards.shard_chain import UnprovenLink
    from truckstream.data.objects.catalog import Catalog

__all__ = ["GroupReader", "audit_shard"]

#: Groups whose records are kept to compare them with later groups. Lanes of a shard interleave by ten at most.
_KEPT_GROUPS: Final = 16


class GroupReader:
    """Reads the records of groups, and keeps those of the last ones."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._kept: OrderedDict[tuple[str, ...], list[StoredRecords]] = OrderedDict()

    async def read(self, group: StoredGroupObjects) -> list[StoredRecords]:
        """Return the records of a group's objects; those of an object that cannot be read are unknown."""
        records = self._kept.get(group.keys)
        if records is None:
            records = [await self._read(each) for each in group.objects]
            self._kept[group.keys] = records
            if len(self._kept) > _KEPT_GROUPS:
                self._kept.popitem(last=False)
        return records

    async def _read(self, each: AuditedObject) -> StoredRecords:
        try:
            return StoredRecords.of(each, await self._catalog.read(each.key))
        except StoreError:
            return UNKNOWN


async def audit_shard(
    inventory: Inventory, place: tuple[str, str], reader: GroupReader | None, settled_before: float
) -> tuple[AuditedShard, list[AuditFinding]]:
    """Return the figures of a shard, and the findings about its groups.

    Args:
        inventory: the objects.
        place: the stream and the shard.
        reader: reads groups that overlap; None if contents must not be read.
        settled_before: objects that were stored later, in seconds since the epoch, may still be followed by others.
    """
    chain, parts = ShardChain(), AggregateParts()
    findings: list[AuditFinding] = []
    unproven: list[UnprovenLink] = []
    valid = rejected = interleaved = 0
    before: StoredGroupObjects | None = None
    for group, duplicates in assemble(inventory.objects(*place)):
        settled = group.modified <= settled_before
        findings += duplicates
        findings += check_group(group, settled=settled, has_partner_without_metadata=inventory.has_without_metadata)
        link = chain.add(group, settled=settled)
        holes = [*link.findings, *parts.add(group, settled=settled)]
        findings += [_weighed(each, group, before, inventory) for each in holes]
        before = group
        if link.unproven is not None and len(unproven) < MOST_NAMED:
            unproven.append(link.unproven)
        for other in link.overlaps:
            records = None if reader is None else (await reader.read(other), await reader.read(group))
            finding = judge_overlap(other, group, records)
            interleaved += finding is None
            findings += [] if finding is None else [finding]
        valid += sum(each.lines for each in group.objects if each.kind == "valid")
        rejected += sum(each.lines for each in group.objects if each.kind == "rejected")
    findings += parts.finish()
    shard = AuditedShard(
        stream=place[0],
        shard=place[1],
        groups=chain.groups,
        valid=valid,
        rejected=rejected,
        first_sequence_number=chain.first or "",
        last_sequence_number=chain.last or "",
        begins_after=chain.begins_after,
        proven_links=chain.proven_links,
        unproven_links=chain.unproven_links,
        unproven=tuple(unproven),
        interleaved=interleaved,
    )
    return shard, findings


def _weighed(
    finding: AuditFinding, group: StoredGroupObjects, before: StoredGroupObjects | None, inventory: Inventory
) -> AuditFinding:
    """Return the finding; a hole is unclear if an object without metadata may fill it."""
    if finding.kind != "hole" or before is None:
        return finding
    begin, end = before.main.arrival - CLOCK_TOLERANCE, group.main.arrival + CLOCK_TOLERANCE
    key = inventory.without_metadata_between(begin, end)
    if key is None:
        return finding
    text = f"{finding.text}, unless {key} holds them, which has no metadata"
    return msgspec.structs.replace(finding, severity="unclear", text=text)
