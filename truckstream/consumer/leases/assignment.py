"""Which leases a worker takes and asks for. Each worker decides for itself, from the same table.

1. Leases that name this worker as their owner, and that it does not hold, are its own: it takes them, those in
   hand-over when the previous owner has finished, has died or has had its time.
2. While it has less than its share, it takes free leases.
3. If there are none, it asks the worker with the most leases for one, as long as that worker has at least two more.
   The loads then come closer with each move, so that moves end: workers whose loads differ by one leave each other
   alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections import Counter
    from collections.abc import Collection

    from truckstream.consumer.leases.lease import Lease
    from truckstream.consumer.leases.lease_view import LeaseView
    from truckstream.consumer.leases.options import LeaseOptions

__all__ = ["Assignment", "LeasePlan"]


@dataclass(slots=True)
class LeasePlan:
    """The writes to try now."""

    take: list[Lease] = field(default_factory=list)
    #: Begin a hand-over of these.
    ask_for: list[Lease] = field(default_factory=list)


class Assignment:
    """One worker's decisions."""

    def __init__(self, worker_id: str, options: LeaseOptions, rng: random.Random) -> None:
        self._worker_id = worker_id
        self._options = options
        self._rng = rng
        self._awaited_since: dict[str, float] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether this worker waits for a previous owner to finish."""
        return bool(self._awaited_since)

    def plan(self, view: LeaseView, held: Collection[str], now: float) -> LeasePlan:
        """Return the changes to make to the leases as they were read just before `now`, with the keys of those held."""
        plan = LeasePlan(take=self._own(view, held, now))
        loads = view.loads(now)
        loads[self._worker_id] = sum(lease.owner == self._worker_id for lease in view.active)
        room = self._share(len(view.active), len(loads)) - loads[self._worker_id]
        if room <= 0:
            return plan
        free = [lease for lease in view.active if self._may_take(lease, view, held, now)]
        if free:
            self._rng.shuffle(free)
            plan.take += free[: min(room, self._batch(len(view.active)))]
        else:
            plan.ask_for = self._choose(view, loads, room, now)
        return plan

    def _own(self, view: LeaseView, held: Collection[str], now: float) -> list[Lease]:
        """Return the leases that this worker owns and does not hold, and may begin with."""
        mine = [lease for lease in view.active if lease.owner == self._worker_id and lease.key not in held]
        awaited = {lease.key for lease in mine if lease.checkpoint_owner is not None}
        self._awaited_since = {key: self._awaited_since.get(key, now) for key in awaited}
        return [lease for lease in mine if lease.key not in awaited or self._is_over(lease, view, now)]

    def _is_over(self, lease: Lease, view: LeaseView, now: float) -> bool:
        waited = now - self._awaited_since[lease.key]
        longest = self._options.hand_over_timeout + self._options.lease_duration  # see Tenure.expires_at
        return view.is_expired(lease, now) or waited >= longest

    def _share(self, leases: int, workers: int) -> int:
        share = -(-leases // workers)
        return share if self._options.max_leases is None else min(share, self._options.max_leases)

    def _may_take(self, lease: Lease, view: LeaseView, held: Collection[str], now: float) -> bool:
        return view.is_free(lease, now) and lease.owner != self._worker_id and lease.key not in held

    @staticmethod
    def _batch(leases: int) -> int:
        """Return how many free leases to take before the table is read again.

        Workers that start together see each other only by the leases that they hold. In steps, none takes all.
        """
        return max(4, leases // 8)

    def _choose(self, view: LeaseView, loads: Counter[str], room: int, now: float) -> list[Lease]:
        """Return the leases to ask for.

        Workers that have read the same choose the same leases, so that one of them has its way and the others see it.
        """
        chosen: list[Lease] = []
        while len(chosen) < min(room, view.moving_limit - view.moving):
            most_loaded = max(loads, key=lambda worker: (loads[worker], worker))
            if loads[most_loaded] - loads[self._worker_id] < 2:  # noqa: PLR2004 - see rule 3
                break
            candidates = (
                lease
                for lease in view.active
                if lease.owner == most_loaded
                and lease.checkpoint_owner is None
                and lease not in chosen
                and not view.is_expired(lease, now)
            )
            lease = min(candidates, key=lambda lease: lease.key, default=None)
            if lease is None:
                break
            chosen.append(lease)
            loads[most_loaded] -= 1
            loads[self._worker_id] += 1
        return chosen
