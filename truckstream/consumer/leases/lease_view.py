"""The lease table as this worker read it last, and since when each counter is unchanged."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from truckstream.consumer.leases.lease_changes import holder_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.consumer.leases.lease import Lease

__all__ = ["LeaseView"]


class LeaseView:
    """All leases as a worker knows them.

    Clocks of different machines are never compared: a lease is free when this worker has seen the same counter for the
    duration of a lease. Its holder, which counts from before its last write, has given up by then.
    """

    def __init__(self, lease_duration: float) -> None:
        self._lease_duration = lease_duration
        self.leases: dict[str, Lease] = {}
        #: The leases that can be read now: their shard has not ended, and its parents have.
        self.active: list[Lease] = []
        #: When a reading last showed that a lease had changed hands.
        self.changed_at = float("-inf")
        self._counter_seen_at: dict[str, float] = {}

    def update(self, leases: Iterable[Lease], now: float) -> None:
        """Replace the view by the leases that were read; `now` is the end of the reading."""
        before, self.leases = self.leases, {lease.key: lease for lease in leases}
        seen_at = self._counter_seen_at
        self._counter_seen_at = {
            key: seen_at[key] if key in before and before[key].counter == lease.counter else now
            for key, lease in self.leases.items()
        }
        if {key: _hands(lease) for key, lease in before.items()} != {
            key: _hands(lease) for key, lease in self.leases.items()
        }:
            self.changed_at = now
        self.active = [lease for lease in self.leases.values() if self._is_active(lease)]

    def _is_active(self, lease: Lease) -> bool:
        if lease.checkpoint.is_ended:
            return False
        prefix = "" if lease.stream is None else f"{lease.stream}:"
        parents = (self.leases.get(prefix + parent) for parent in lease.parent_ids)
        return all(parent is None or parent.checkpoint.is_ended for parent in parents)

    def is_free(self, lease: Lease, now: float) -> bool:
        """Return whether nobody owns the lease, or nobody has renewed it for the duration of a lease."""
        return lease.owner is None or self.is_expired(lease, now)

    def is_expired(self, lease: Lease, now: float) -> bool:
        """Return whether nobody has renewed the lease for the duration of a lease."""
        return now >= self._counter_seen_at[lease.key] + self._lease_duration

    def next_expiry(self, now: float) -> float | None:
        """Return when the next lease can become free; None if none can."""
        times = (self._counter_seen_at[lease.key] + self._lease_duration for lease in self.active if lease.owner)
        return min((time for time in times if time > now), default=None)

    def loads(self, now: float) -> Counter[str]:
        """Return the number of active leases of each live worker; a lease in hand-over counts for its new owner.

        The previous owner of such a lease is a live worker too, perhaps with none.
        """
        loads: Counter[str] = Counter()
        for lease in self.active:
            if lease.owner is not None and not self.is_expired(lease, now):
                loads[lease.owner] += 1
                loads[holder_of(lease) or lease.owner] += 0
        return loads

    @property
    def moving(self) -> int:
        """The number of leases in hand-over."""
        return sum(lease.checkpoint_owner is not None for lease in self.active)

    @property
    def moving_limit(self) -> int:
        """The most leases that may be in hand-over at a time: one in twenty, and at least one."""
        return max(1, len(self.active) // 20)


def _hands(lease: Lease) -> tuple[str | None, str | None]:
    return lease.owner, lease.checkpoint_owner
