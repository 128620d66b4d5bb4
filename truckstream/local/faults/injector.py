"""Decides which faults strike. It uses no socket and no clock, and its random numbers follow from the plan's seed.

Each fault has random numbers of its own, seeded by the plan's seed and the fault's position, so that adding a fault or
using one up does not change the others. A fault draws one number for each chance in its window, even if another fault
strikes first.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import msgspec

from truckstream.local.faults.fault import Fault, FaultPlan
from truckstream.local.faults.kinds.kind import RecordKind, RequestKind, StreamKind, TimingKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.service.errors import RecordRefusal
    from truckstream.local.service.state.account import KinesisAccount, RecordFault
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["ActiveFault", "FaultInjector", "FaultReport", "RequestFaults"]


class FaultReport(msgspec.Struct, frozen=True):
    """A fault and the number of times that it has struck."""

    fault: Fault
    hits: int


class RequestFaults(msgspec.Struct):
    """The faults that strike one request."""

    #: Replaces the normal course of the request.
    replacement: Fault | None = None
    #: Seconds by which the response is late.
    delay: float = 0.0
    #: Seconds by which the service's clock is ahead.
    clock_skew: float = 0.0
    #: Faults that change the stream before the request is carried out.
    stream_changes: list[ActiveFault] = msgspec.field(default_factory=list)


class ActiveFault:
    """A fault that counts its chances and hits."""

    def __init__(self, fault: Fault, seed: str, started_at: float) -> None:
        self.fault = fault
        self.random = Random(seed)
        self.hits = 0
        self._chances = 0
        self._begin = started_at + fault.after
        self._end = float("inf") if fault.until is None else started_at + fault.until

    def strikes(self, operation: str, now: float) -> bool:
        """Return whether it strikes at this chance. The caller counts the hit if the fault then acts."""
        if not self.fault.concerns(operation):
            return False
        if self.hits >= self.fault.limit or not self._begin <= now < self._end:
            return False
        self._chances += 1
        if self._chances <= self.fault.skip:
            return False
        return self.fault.rate >= 1 or self.random.random() < self.fault.rate


class FaultInjector:
    """Decides which faults strike each request and each record.

    Args:
        plan: the faults from the start.
        now: the start, in seconds since the epoch.
    """

    def __init__(self, plan: FaultPlan, now: float) -> None:
        self.seed = plan.seed
        self._injected = 0
        self._request_faults: list[ActiveFault] = []
        self._record_faults: list[ActiveFault] = []
        self._hits: dict[str, int] = {}
        for fault in plan.faults:
            self.inject(fault, now)

    def inject(self, fault: Fault, now: float) -> None:
        """Add a fault. Its window counts from `now`."""
        active = ActiveFault(fault, f"{self.seed}/{self._injected}", now)
        self._injected += 1
        (self._record_faults if isinstance(fault.definition, RecordKind) else self._request_faults).append(active)

    def clear(self) -> None:
        """Remove every fault, but keep the counts of hits."""
        self._request_faults.clear()
        self._record_faults.clear()

    def report(self) -> list[FaultReport]:
        """Return the current faults with their hits."""
        return [FaultReport(active.fault, active.hits) for active in self._active()]

    def hits(self) -> dict[str, int]:
        """Return how often faults have struck since the start, by kind."""
        return dict(self._hits)

    def on_request(self, operation: str, now: float) -> RequestFaults:
        """Return the faults that strike a request for `operation` that begins now."""
        struck = RequestFaults()
        for active in self._request_faults:
            if not active.strikes(operation, now):
                continue
            fault = active.fault
            match fault.definition:
                case StreamKind():
                    struck.stream_changes.append(active)  # counted by `change_stream`, if the stream allows the change
                case TimingKind() as kind:
                    struck.delay += kind.delay(fault, active.random)
                    struck.clock_skew += kind.clock_skew(fault)
                    self.count_hit(active)
                case RequestKind() if struck.replacement is None:
                    struck.replacement = fault
                    self.count_hit(active)
        return struck

    def change_stream(
        self, changes: Iterable[ActiveFault], account: KinesisAccount, stream_name: str, now: float
    ) -> None:
        """Let faults change the stream. A fault that finds it missing or not ACTIVE keeps its hit for later."""
        for active in changes:
            kind, stream = active.fault.definition, account.known(stream_name, now)
            if not isinstance(kind, StreamKind) or stream is None or stream.status(now) != "ACTIVE":
                continue
            if kind.change(active.fault, active.random, account, stream, now):
                self.count_hit(active)

    def on_records(self, operation: str, account_id: str, now: float) -> RecordFault | None:
        """Return the function that decides which records of one request fail; None if there are no such faults."""
        if not self._record_faults:
            return None

        def record_fault(stream: Stream, shard: LocalShard) -> RecordRefusal | None:
            kind = self.on_record(operation, shard.shard_id, now)
            return None if kind is None else kind.error(stream, shard, account_id)

        return record_fault

    def on_record(self, operation: str, shard_id: str, now: float) -> RecordKind | None:
        """Return the kind of the fault that strikes one record (for GetRecords: the call), or None."""
        struck: RecordKind | None = None
        for active in self._record_faults:
            fault = active.fault
            if fault.shards and shard_id not in fault.shards:
                continue
            if active.strikes(operation, now) and struck is None and isinstance(fault.definition, RecordKind):
                struck = fault.definition
                self.count_hit(active)
        return struck

    def count_hit(self, active: ActiveFault) -> None:
        """Count that a fault has struck."""
        active.hits += 1
        self._hits[active.fault.kind] = self._hits.get(active.fault.kind, 0) + 1

    def _active(self) -> Iterable[ActiveFault]:
        yield from self._request_faults
        yield from self._record_faults
