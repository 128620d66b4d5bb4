"""A lease table in memory, for workers of one process. Managers that share it share the leases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truckstream.consumer.leases.lease import Lease

__all__ = ["MemoryTable"]


class MemoryTable:
    """Leases in a dict, which end with the process."""

    names_streams = True

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing: the leases stay, for other managers."""

    async def read(self) -> list[Lease]:
        """Return all leases."""
        return list(self._leases.values())

    async def create(self, lease: Lease) -> bool:
        """Add a lease. False if there is one with its key, which stays as it is."""
        return self._leases.setdefault(lease.key, lease) is lease

    async def replace(self, before: Lease, after: Lease) -> bool:
        """Write `after` if the table's lease has the owner, checkpoint owner and counter of `before`; else False."""
        found = self._leases.get(before.key)
        if found is None:
            return False
        if (found.owner, found.checkpoint_owner, found.counter) != (
            before.owner,
            before.checkpoint_owner,
            before.counter,
        ):
            return found == after
        self._leases[before.key] = after
        return True

    async def delete(self, lease: Lease) -> bool:
        """Remove a lease if it has the counter of `lease`; False if it has another."""
        found = self._leases.get(lease.key)
        if found is not None and found.counter != lease.counter:
            return False
        self._leases.pop(lease.key, None)
        return True
