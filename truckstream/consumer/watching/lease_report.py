"""The leases of an application, and how far behind each shard is: for operators, without taking part."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truckstream.consumer.leases.lease import AT_TIMESTAMP, LATEST
from truckstream.consumer.reading.user_records import position_of
from truckstream.consumer.running.streams import stream_key
from truckstream.kinesis.failures import RequestFailedError

if TYPE_CHECKING:
    from truckstream.consumer.leases.lease import Lease
    from truckstream.consumer.leases.lease_table import LeaseTable
    from truckstream.kinesis.reading.reading_client import ReadingClient

__all__ = ["LeaseReport", "LeaseState", "read_lease_report"]

#: Shards that are looked at together. Each look takes one of the shard's five calls a second.
AT_A_TIME: Final = 10


@dataclass(frozen=True, slots=True)
class LeaseState:
    """One lease that is not at its shard's end."""

    shard_id: str
    #: The worker that has it; None if nobody has.
    owner: str | None
    #: A sequence number, or "TRIM_HORIZON", "LATEST" or "AT_TIMESTAMP" before the first checkpoint.
    checkpoint: str
    #: Age in milliseconds of the oldest record after the checkpoint; None if it is not known.
    millis_behind_latest: int | None
    #: Why it is not known.
    error: str | None = None
    #: The worker that still finishes its records, in a planned hand-over.
    handed_over_by: str | None = None


@dataclass(frozen=True, slots=True)
class LeaseReport:
    """The leases of one application on one stream."""

    application: str
    stream: str
    leases: tuple[LeaseState, ...]
    #: Shards that are processed to their end.
    ended: int

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems, each with its remedy."""
        if not self.leases:
            return ("no shard has a lease: no worker of this application has read this stream",)
        found = [f"nobody reads {lease.shard_id}: start a worker" for lease in self.leases if lease.owner is None]
        return (*found, *(f"{each.shard_id} could not be read: {each.error}" for each in self.leases if each.error))

    @property
    def healthy(self) -> bool:
        """Whether each shard has an owner and could be read."""
        return not self.problems


async def read_lease_report(application: str, table: LeaseTable, client: ReadingClient) -> LeaseReport:
    """Read the leases of an application, and look at each shard of a stream at its checkpoint.

    `table` and `client` must be open.

    Raises:
        LeaseTableError: there is no table, or it cannot be read.
        ServiceError: the stream cannot be described.
    """
    try:
        summary, listed = await asyncio.gather(client.summary(), client.list_shards())
    except RequestFailedError as failure:
        raise failure.to_service_error() from failure
    key, shards = stream_key(summary, client.stream_name), {shard.shard_id for shard in listed}
    leases = [
        lease
        for lease in await table.read()
        if (lease.shard_id in shards if lease.stream is None else lease.stream == key)
    ]
    limit = asyncio.Semaphore(AT_A_TIME)
    active = sorted((lease for lease in leases if not lease.checkpoint.is_ended), key=lambda lease: lease.shard_id)
    states = await asyncio.gather(*(_look(client, lease, limit) for lease in active))
    return LeaseReport(application, client.stream_name, tuple(states), len(leases) - len(active))


async def _look(client: ReadingClient, lease: Lease, limit: asyncio.Semaphore) -> LeaseState:
    millis_behind, error = None, None
    if lease.checkpoint.sequence_number not in {LATEST, AT_TIMESTAMP}:  # those say when, not where
        try:
            async with limit:
                iterator = await client.get_shard_iterator(lease.shard_id, position_of(lease.checkpoint))
                millis_behind = (await client.get_records(iterator, lease.shard_id, 1)).millis_behind
        except RequestFailedError as failure:
            error = f"{failure.code}: {failure.message}"
    return LeaseState(
        shard_id=lease.shard_id,
        owner=lease.owner,
        checkpoint=lease.checkpoint.sequence_number,
        millis_behind_latest=millis_behind,
        error=error,
        handed_over_by=lease.checkpoint_owner,
    )
