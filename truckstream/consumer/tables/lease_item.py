"""A lease as an item of DynamoDB, with the attributes of the KCL (DynamoDBLeaseSerializer of versions 2 and 3).

Attributes that are not listed here, such as throughputKBps, belong to others and are never written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from truckstream.consumer.leases.lease import Checkpoint, Lease, PendingCheckpoint
from truckstream.errors import LeaseTableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Item = Mapping[str, Mapping[str, Any]]

__all__ = ["CHECKPOINT_OWNER", "COUNTER", "KEY", "OWNER", "is_lease", "item_of", "lease_of"]

KEY: Final = "leaseKey"
OWNER: Final = "leaseOwner"
COUNTER: Final = "leaseCounter"
CHECKPOINT_OWNER: Final = "checkpointOwner"


def item_of(lease: Lease) -> dict[str, dict[str, Any]]:
    """Return the attributes of a lease. DynamoDB knows no empty sets, and the KCL no null values."""
    pending, hash_range = lease.pending, lease.hash_range
    attributes = {
        KEY: _text(lease.key),
        OWNER: _text(lease.owner),
        COUNTER: _number(lease.counter),
        "checkpoint": _text(lease.checkpoint.sequence_number),
        "checkpointSubSequenceNumber": _number(lease.checkpoint.subsequence_number),
        "ownerSwitchesSinceCheckpoint": _number(lease.owner_switches),
        "parentShardId": _set(lease.parent_ids),
        "childShardIds": _set(lease.child_ids),
        "startingHashKey": hash_range and _text(str(hash_range[0])),
        "endingHashKey": hash_range and _text(str(hash_range[1])),
        "pendingCheckpoint": pending and _text(pending.checkpoint.sequence_number),
        "pendingCheckpointSubSequenceNumber": pending and _number(pending.checkpoint.subsequence_number),
        "pendingCheckpointState": {"B": pending.state} if pending and pending.state else None,
        CHECKPOINT_OWNER: _text(lease.checkpoint_owner),
        "streamName": _text(lease.stream),
        "shardId": _text(lease.shard_id) if lease.stream else None,
    }
    return {name: value for name, value in attributes.items() if value}


def is_lease(item: Item) -> bool:
    """Return whether an item is a lease. From version 3.5 on the KCL keeps other entities in the same table."""
    return "entityType" not in item or item["entityType"] == {"S": "LEASE"}


def lease_of(item: Item) -> Lease:
    """Return the lease that an item holds.

    Raises:
        LeaseTableError: the item is no lease.
    """

    def text(name: str) -> str | None:
        return item.get(name, {}).get("S")

    def number(name: str) -> int:
        return int(item.get(name, {}).get("N", 0))

    key, checkpoint = text(KEY), text("checkpoint")
    if key is None or checkpoint is None or COUNTER not in item:
        message = f"the item {key} has no checkpoint or no counter. Use a table that holds nothing but leases"
        raise LeaseTableError("NotALease", message)
    stream, pending = text("streamName"), text("pendingCheckpoint")
    starting, ending = text("startingHashKey"), text("endingHashKey")
    state = item.get("pendingCheckpointState", {}).get("B", b"")
    subsequence = number("pendingCheckpointSubSequenceNumber")
    return Lease(
        key=key,
        shard_id=key if stream is None else text("shardId") or key.rpartition(":")[2],
        stream=stream,
        owner=text(OWNER),
        counter=number(COUNTER),
        checkpoint=Checkpoint(checkpoint, number("checkpointSubSequenceNumber")),
        pending=PendingCheckpoint(Checkpoint(pending, subsequence), bytes(state)) if pending else None,
        owner_switches=number("ownerSwitchesSinceCheckpoint"),
        parent_ids=_ids(item, "parentShardId"),
        child_ids=_ids(item, "childShardIds"),
        hash_range=(int(starting), int(ending)) if starting and ending else None,
        checkpoint_owner=text(CHECKPOINT_OWNER),
    )


def _text(value: str | None) -> dict[str, Any] | None:
    return {"S": value} if value else None


def _number(value: int) -> dict[str, Any]:
    return {"N": str(value)}


def _set(values: tuple[str, ...]) -> dict[str, Any] | None:
    return {"SS": sorted(values)} if values else None


def _ids(item: Item, name: str) -> tuple[str, ...]:
    """Return the ids of a set, or of the single string that version 1 of the KCL wrote."""
    attribute = item.get(name, {})
    return tuple(sorted(attribute.get("SS", ()))) or tuple(filter(None, [attribute.get("S")]))
