"""Which leases must exist for the shards of a stream, and which have served their time. Any worker may act on it.

- A shard that has a lease, and all its ancestors, are settled: leases are created parents first, and those of
  children before their parent's SHARD_END. Those without a lease were read to their ends or skipped at the start.
- Any other shard whose hash range overlaps that of a lease follows a shard that the application has read, even if the
  shards in between have expired. Every record of it is still to be read.
- Any other shard is new to the application, which begins there where its user wants to start. With LATEST, closed
  shards stay without a lease.

The KCL decides alike (HierarchicalShardSyncer), but knows ancestors only from the listing: after a stop that outlasts
retention it begins at LATEST.
"""

from __future__ import annotations

from bisect import bisect_right
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from truckstream.consumer.leases.lease import AT_TIMESTAMP, LATEST, TRIM_HORIZON, Checkpoint, Lease
from truckstream.kinesis.limits import MAX_HASH_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from truckstream.consumer.leases.options import LeaseOptions
    from truckstream.kinesis.reading.shard_record import ChildShard
    from truckstream.kinesis.shard_map import Shard

    _Range = tuple[int, int]

__all__ = ["child_lease", "has_hole", "lease_key", "missing_leases", "parents_without_lease", "removable_leases"]


def lease_key(stream: str | None, shard_id: str) -> str:
    """Return the key of a shard's lease; `stream` is None for an application of one stream."""
    return shard_id if stream is None else f"{stream}:{shard_id}"


def missing_leases(
    stream: str | None, shards: Sequence[Shard], leases: Iterable[Lease], options: LeaseOptions
) -> list[Lease]:
    """Return the leases to create, in this order, with the table as it was read before the shards were listed."""
    known = {lease.shard_id: lease for lease in leases if lease.stream == stream}
    by_id = {shard.shard_id: shard for shard in shards}
    settled = _with_ancestors(known.values(), by_id)
    history = _union(_range_of(lease, by_id) for lease in known.values())
    missing = {}
    for shard in shards:
        if shard.shard_id in settled:
            continue
        if _overlaps(history, _shard_range(shard)):
            missing[shard.shard_id] = _lease_of(stream, shard, options.child_checkpoint)
        elif shard.is_open or options.first_checkpoint.sequence_number != LATEST:
            missing[shard.shard_id] = _lease_of(stream, shard, options.first_checkpoint)
    order = TopologicalSorter({shard_id: lease.parent_ids for shard_id, lease in missing.items()}).static_order()
    return [missing[shard_id] for shard_id in order if shard_id in missing]


def parents_without_lease(children: Iterable[ChildShard], leases: Mapping[str, Lease], stream: str | None) -> set[str]:
    """Return the parents that a child would not wait for.

    One whose own parent is still read may have no lease yet, if nobody has listed the shards since.
    """
    return {
        parent
        for child in children
        if lease_key(stream, child.shard_id) not in leases
        for parent in child.parent_ids
        if lease_key(stream, parent) not in leases
    }


def child_lease(stream: str | None, child: ChildShard, options: LeaseOptions) -> Lease:
    """Return the lease of a shard that follows one that was read to its end."""
    return Lease(
        key=lease_key(stream, child.shard_id),
        shard_id=child.shard_id,
        stream=stream,
        checkpoint=options.child_checkpoint,
        parent_ids=child.parent_ids,
        hash_range=(child.starting_hash_key, child.ending_hash_key),
    )


def removable_leases(stream: str | None, shards: Sequence[Shard], leases: Iterable[Lease]) -> list[Lease]:
    """Return the leases to delete, once no lease is missing.

    As in the KCL (LeaseCleanupManager) the lease of an ended shard goes after those of its parents, when all its
    children have begun: until then it is the proof that they may. A lease whose shard has expired goes too.
    """
    known = {lease.shard_id: lease for lease in leases if lease.stream == stream}
    children: dict[str, set[str]] = {shard_id: set(lease.child_ids) for shard_id, lease in known.items()}
    for shard in shards:
        for parent in shard.parent_ids:
            children.get(parent, set()).add(shard.shard_id)
    expired = _expired(shards, known)
    return [
        lease
        for shard_id, lease in known.items()
        if shard_id in expired
        or (
            lease.checkpoint.is_ended
            and children[shard_id]
            and all(_has_begun(known.get(child)) for child in children[shard_id])
            and not any(parent in known for parent in lease.parent_ids)
        )
    ]


def has_hole(stream: str | None, leases: Iterable[Lease]) -> bool:
    """Return whether a part of the hash range has no lease that is still read, so that a shard was forgotten."""
    active = [lease for lease in leases if lease.stream == stream and not lease.checkpoint.is_ended]
    if any(lease.hash_range is None for lease in active):
        return False  # old versions of the KCL wrote none
    return _union(lease.hash_range for lease in active if lease.hash_range) != [(0, MAX_HASH_KEY)]


def _with_ancestors(leases: Iterable[Lease], by_id: Mapping[str, Shard]) -> set[str]:
    settled: set[str] = set()
    todo = [shard_id for lease in leases for shard_id in (lease.shard_id, *lease.parent_ids)]
    while todo:
        shard_id = todo.pop()
        if shard_id not in settled:
            settled.add(shard_id)
            todo += by_id[shard_id].parent_ids if shard_id in by_id else ()
    return settled


def _expired(shards: Sequence[Shard], known: Mapping[str, Lease]) -> set[str]:
    """Return the shards with a lease that the stream does not have any more.

    A listing of a whole stream proves it for shards that are older than its newest one. Newer shards can have a lease:
    the listing was made before they were.
    """
    listed = {shard.shard_id for shard in shards}
    if _union(_shard_range(shard) for shard in shards if shard.is_open) != [(0, MAX_HASH_KEY)]:
        return set()
    newest = max(listed)
    return {shard_id for shard_id in known if shard_id not in listed and shard_id < newest}


def _has_begun(child: Lease | None) -> bool:
    return child is not None and child.checkpoint.sequence_number not in {TRIM_HORIZON, LATEST, AT_TIMESTAMP}


def _lease_of(stream: str | None, shard: Shard, checkpoint: Checkpoint) -> Lease:
    return Lease(
        key=lease_key(stream, shard.shard_id),
        shard_id=shard.shard_id,
        stream=stream,
        checkpoint=checkpoint,
        parent_ids=shard.parent_ids,
        hash_range=_shard_range(shard),
    )


def _shard_range(shard: Shard) -> _Range:
    return shard.starting_hash_key, shard.ending_hash_key


def _range_of(lease: Lease, by_id: Mapping[str, Shard]) -> _Range:
    """Return the hash range of a lease; the whole range if nobody knows it, so that nothing is skipped."""
    if lease.hash_range is not None:
        return lease.hash_range
    return _shard_range(by_id[lease.shard_id]) if lease.shard_id in by_id else (0, MAX_HASH_KEY)


def _union(ranges: Iterable[_Range]) -> list[_Range]:
    """Return the ranges in order, those that touch or overlap joined."""
    union: list[_Range] = []
    for start, end in sorted(ranges):
        if union and start <= union[-1][1] + 1:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        else:
            union.append((start, end))
    return union


def _overlaps(union: Sequence[_Range], one: _Range) -> bool:
    index = bisect_right(union, one[1], key=lambda each: each[0]) - 1
    return index >= 0 and union[index][1] >= one[0]
