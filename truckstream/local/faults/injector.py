"""Which faults strike: a plan at work. No socket, no clock, and chance only from the seed.

Each fault has its own random numbers, seeded by the plan's seed and its position, so that a fault that is added or has
run out changes nothing for the others. It draws one for each chance in its window, whether or not another fault wins.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import msgspec

from truckstream.local.faults.fault import Fault, FaultPlan

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ActiveFault", "FaultInjector", "FaultReport", "Strike"]


class FaultReport(msgspec.Struct, frozen=True):
    """A fault, and how often it has struck."""

    fault: Fault
    hits: int


class Strike:
    """What strikes one request."""

    __slots__ = ("delay", "ending", "events", "skew")

    def __init__(self) -> None:
        #: What ends it otherwise than with the service's answer; None when nothing does.
        self.ending: Fault | None = None
        #: How much later its answer comes, in seconds.
        self.delay = 0.0
        #: How far the service's clock is off, in seconds.
        self.skew = 0.0
        #: What happens to the stream before it is carried out.
        self.events: list[ActiveFault] = []

    @property
    def kind(self) -> str:
        """The kind of the ending, or nothing."""
        return self.ending.kind if self.ending is not None else ""


class ActiveFault:
    """A fault with its chances counted."""

    def __init__(self, fault: Fault, seed: str, started_at: float) -> None:
        self.fault = fault
        #: Its own random numbers, for what else is left to chance.
        self.random = Random(seed)
        self.hits = 0
        self._chances = 0
        self._begin = started_at + fault.after
        self._end = float("inf") if fault.until is None else started_at + fault.until

    def strikes(self, now: float) -> bool:
        """Whether it strikes at this chance. The caller counts the hit, if it comes to that."""
        if self.hits >= self.fault.limit or not self._begin <= now < self._end:
            return False
        self._chances += 1
        if self._chances <= self.fault.skip:
            return False
        return self.fault.rate >= 1 or self.random.random() < self.fault.rate


class FaultInjector:
    """Decides, for each request and record, what goes wrong.

    Args:
        plan: the faults from the start.
        now: the start, in seconds since the epoch.
    """

    def __init__(self, plan: FaultPlan, now: float) -> None:
        self.seed = plan.seed
        self._injected = 0
        self._requests: list[ActiveFault] = []
        self._records: list[ActiveFault] = []
        self._hits: dict[str, int] = {}
        for fault in plan.faults:
            self.inject(fault, now)

    def inject(self, fault: Fault, now: float) -> None:
        """Add a fault, whose window counts from `now`."""
        active = ActiveFault(fault, f"{self.seed}/{self._injected}", now)
        self._injected += 1
        (self._records if fault.definition.target == "record" else self._requests).append(active)

    def clear(self) -> None:
        """Remove every fault. What was hit stays counted."""
        self._requests.clear()
        self._records.clear()

    def report(self) -> list[FaultReport]:
        """The faults that are there now."""
        return [FaultReport(active.fault, active.hits) for active in self._active()]

    def hits(self) -> dict[str, int]:
        """How often faults have struck, by kind, since the start."""
        return dict(self._hits)

    def on_request(self, operation: str, now: float) -> Strike:
        """What strikes a request for `operation`, decided when its headers are there."""
        strike = Strike()
        for active in self._requests:
            fault = active.fault
            if not fault.concerns(operation) or not active.strikes(now):
                continue
            if fault.definition.target == "stream":
                strike.events.append(active)  # counted when it has happened: the stream may not be ready for it
            elif fault.kind == "latency":
                strike.delay += fault.seconds + active.random.random() * fault.jitter
                self.count(active)
            elif fault.kind == "skew":
                strike.skew += fault.seconds
                self.count(active)
            elif strike.ending is None:
                strike.ending = fault
                self.count(active)
        return strike

    def on_record(self, operation: str, shard_id: str, now: float) -> str | None:
        """The kind of fault that strikes one record (of GetRecords: the call), or None."""
        struck: str | None = None
        for active in self._records:
            fault = active.fault
            if fault.shards and shard_id not in fault.shards:
                continue
            if fault.concerns(operation) and active.strikes(now) and struck is None:
                struck = fault.kind
                self.count(active)
        return struck

    def count(self, active: ActiveFault) -> None:
        """`active` has struck."""
        active.hits += 1
        self._hits[active.fault.kind] = self._hits.get(active.fault.kind, 0) + 1

    @property
    def strikes_records(self) -> bool:
        """Whether there is a fault for records at all."""
        return bool(self._records)

    def _active(self) -> Iterable[ActiveFault]:
        yield from self._requests
        yield from self._records
