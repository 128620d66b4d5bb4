"""The interface of a lease table. Workers coordinate through it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from truckstream.consumer.leases.lease import Lease

__all__ = ["LeaseTable"]


class LeaseTable(Protocol):
    """A table of leases by key, with conditional writes.

    A write whose response was lost is repeated by the table, and succeeds if the table already holds the written lease.
    Every method raises `LeaseTableError` when the table cannot be reached, or returns an error.
    """

    #: Whether the keys of leases have to name their stream, even if there is one only: a table that outlives a stream
    #: must not give its checkpoints to a new one of the same name. The KCL's table does not name it.
    names_streams: bool

    async def open(self) -> None:
        """Connect; create the table if there is none."""

    async def read(self) -> list[Lease]:
        """Return all leases."""

    async def create(self, lease: Lease) -> bool:
        """Add a lease. False if there is one with its key, which stays as it is."""

    async def replace(self, before: Lease, after: Lease) -> bool:
        """Write `after` if the table's lease has the owner, checkpoint owner and counter of `before`; else False."""

    async def delete(self, lease: Lease) -> bool:
        """Remove a lease if it has the counter of `lease`; False if it has another."""

    async def close(self) -> None:
        """Disconnect. May be called twice."""
