"""Track each record from put to acknowledgement, and compare the records with those in the stored objects.

A record is identified by the digest of its bytes, so that a stored record can only match the put that it came from.
Two reports can have the same bytes (a parked truck that reports twice in a second), so every figure counts copies.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from truckstream.errors import TruckstreamError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.producer import Delivery

__all__ = ["Audit", "ObjectRecord", "RecordTracker"]


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One record that was read back from an object."""

    data: bytes
    #: When its object was created: seconds since the epoch.
    stored_at: float
    #: Why it was rejected; None for a record that was stored as valid.
    reason: str | None = None


@dataclass(slots=True)
class _IdenticalRecords:
    """The copies of one record that were put."""

    first_put_at: float
    #: Why the copies must be rejected; None for a valid record.
    reason: str | None
    acked: int = 0
    #: Not acknowledged, but possibly in the stream.
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Audit:
    """Result of comparing the objects with the records that were put. Counts are records."""

    stored: int
    rejected: int
    #: The rejected records by reason.
    rejected_reasons: dict[str, int]
    #: Acknowledged, but in no object.
    lost: int
    #: Copies in the objects beyond those that can be in the stream.
    duplicated: int
    #: Valid records that were rejected, invalid ones that were stored, and those rejected for a wrong reason.
    misjudged: int
    #: In the objects, but never put.
    foreign: int
    #: Seconds from put to object, in ascending order, of the records in objects that have no copy: which of several
    #: copies is in which object cannot be known.
    latencies: list[float]


class RecordTracker:
    """Tracks the records of one run."""

    def __init__(self) -> None:
        self._records: dict[bytes, _IdenticalRecords] = {}
        self._pending: deque[tuple[_IdenticalRecords, str, Delivery]] = deque()
        self._last_sequence: dict[str, int] = {}
        #: Records whose sequence number is below that of an earlier record with the same key.
        self.out_of_order = 0

    def track(self, data: bytes, key: str, reason: str | None, delivery: Delivery, now: float) -> None:
        """Track a record that was put at `now`, seconds since the epoch; `reason` is why it must be rejected."""
        copies = self._records.setdefault(_digest(data), _IdenticalRecords(now, reason))
        self._pending.append((copies, key, delivery))

    def collect_outcomes(self) -> None:
        """Count the deliveries that are done, in the order of put."""
        while self._pending and self._pending[0][2].done():
            self._collect_outcome(*self._pending.popleft())

    def first_put_at(self, data: bytes) -> float | None:
        """Return when a record was first put, or None if it never was."""
        copies = self._records.get(_digest(data))
        return copies.first_put_at if copies else None

    def audit(self, object_records: Iterable[ObjectRecord]) -> Audit:
        """Compare all records in the objects with the records that were put."""
        found: Counter[bytes] = Counter()
        reasons: Counter[str] = Counter()
        stored = misjudged = foreign = 0
        latencies = []
        for record in object_records:
            digest = _digest(record.data)
            copies = self._records.get(digest)
            if copies is None:
                foreign += 1
                continue
            found[digest] += 1
            if record.reason is None:
                stored += 1
            else:
                reasons[record.reason] += 1
            misjudged += record.reason != copies.reason
            if copies.acked + copies.unknown == 1:
                latencies.append(record.stored_at - copies.first_put_at)
        records = self._records.items()
        return Audit(
            stored=stored,
            rejected=reasons.total(),
            rejected_reasons=dict(reasons.most_common()),
            lost=sum(max(0, copies.acked - found[digest]) for digest, copies in records),
            duplicated=sum(max(0, found[digest] - copies.acked - copies.unknown) for digest, copies in records),
            misjudged=misjudged,
            foreign=foreign,
            latencies=sorted(latencies),
        )

    def _collect_outcome(self, copies: _IdenticalRecords, key: str, delivery: Delivery) -> None:
        try:
            ack = delivery.result()
        except TruckstreamError as error:
            copies.unknown += error.may_be_stored
            return
        copies.acked += 1
        sequence = int(ack.sequence_number)
        last = self._last_sequence.get(key, 0)
        if sequence < last:
            self.out_of_order += 1
        self._last_sequence[key] = max(last, sequence)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
