"""Every change that a worker makes to a lease, as a function from the lease to its next state.

The holder of a lease adds 1 to the counter with each change. So does a worker that takes a lease, whose previous
holder then finds its next write refused. Only asking for a lease, and withdrawing that, leave the counter alone, as in
the KCL: the holder goes on to renew and to save.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from truckstream.consumer.leases.lease import SHARD_END, Checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.consumer.leases.lease import Lease, PendingCheckpoint

__all__ = [
    "announced",
    "asked_for",
    "ended",
    "handed_back",
    "holder_of",
    "released",
    "renewed",
    "saved",
    "taken",
    "withdrawn",
]


def holder_of(lease: Lease) -> str | None:
    """Return the worker that may save checkpoints: in a hand-over still the previous owner."""
    return lease.checkpoint_owner or lease.owner


def taken(lease: Lease, worker_id: str) -> Lease:
    """Make `worker_id` the owner, of a free lease or at the end of a hand-over."""
    switched = holder_of(lease) not in {None, worker_id}
    return replace(
        lease,
        owner=worker_id,
        checkpoint_owner=None,
        counter=lease.counter + 1,
        owner_switches=lease.owner_switches + switched,
    )


def asked_for(lease: Lease, worker_id: str) -> Lease:
    """Begin a hand-over to `worker_id`."""
    return replace(lease, owner=worker_id, checkpoint_owner=lease.owner)


def withdrawn(lease: Lease) -> Lease:
    """End a hand-over for the worker that asked: the previous owner keeps the lease."""
    return replace(lease, owner=lease.checkpoint_owner, checkpoint_owner=None)


def handed_back(lease: Lease) -> Lease:
    """End a hand-over for the previous owner, which keeps the lease."""
    return renewed(lease if lease.checkpoint_owner is None else withdrawn(lease))


def renewed(lease: Lease, noted: Checkpoint | None = None) -> Lease:
    """Renew, and write the noted checkpoint if there is one. A pending checkpoint stays.

    Nothing follows SHARD_END, which a write may have left whose response was lost.
    """
    after = replace(lease, counter=lease.counter + 1)
    return after if noted is None or lease.checkpoint.is_ended else replace(after, checkpoint=noted, owner_switches=0)


def saved(lease: Lease, checkpoint: Checkpoint) -> Lease:
    """Write a checkpoint, which completes the announced work."""
    return replace(renewed(lease, checkpoint), pending=None)


def announced(lease: Lease, pending: PendingCheckpoint, noted: Checkpoint | None = None) -> Lease:
    """Write a pending checkpoint, and the noted one if there is one."""
    return replace(renewed(lease, noted), pending=pending)


def ended(lease: Lease, child_ids: Iterable[str]) -> Lease:
    """Write SHARD_END. The owner stays, as in the KCL; the lease counts for nobody any more."""
    return replace(
        saved(lease, Checkpoint(SHARD_END)),
        checkpoint_owner=None,
        child_ids=tuple(sorted({*lease.child_ids, *child_ids})),
    )


def released(lease: Lease, noted: Checkpoint | None = None) -> Lease:
    """Give the lease to the worker that asked for it, or to nobody."""
    after = replace(renewed(lease, noted), checkpoint_owner=None)
    if lease.checkpoint_owner is None:
        return replace(after, owner=None)
    return replace(after, owner_switches=after.owner_switches + 1)
