"""The account: what was put, what the stream acknowledged, and what lies in the objects in the end.

Records are known by the digest of their bytes, so that an object's line is matched with the put that it came from
and with nothing else. Two reports can have the same bytes (a standing truck, twice in a second), so every figure is
a count of copies.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from truckstream.errors import TruckstreamError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.producer import Delivery

__all__ = ["Audit", "Ledger", "StoredLine"]


@dataclass(frozen=True, slots=True)
class StoredLine:
    """One record as an object holds it."""

    data: bytes
    #: When its object was created: seconds since the epoch.
    stored_at: float
    #: Why it was refused; None for a record among the valid ones.
    reason: str | None = None


@dataclass(slots=True)
class _Line:
    """One line of the account: all copies of the same bytes."""

    put_at: float
    #: The reason for which the copies must be refused; None for a valid record.
    reason: str | None
    put: int = 0
    acked: int = 0
    #: Not acknowledged, but possibly in the stream.
    doubtful: int = 0
    stored: int = 0
    rejected: int = 0

    @property
    def found(self) -> int:
        return self.stored + self.rejected


@dataclass(frozen=True, slots=True)
class Audit:
    """What the objects hold, held against what was put. Counts are records."""

    stored: int
    rejected: int
    #: Acknowledged and in no object.
    lost: int
    #: Copies in the objects beyond those that were put or can have been stored.
    duplicated: int
    #: Valid among the refused, invalid among the stored, or refused for another reason than the true one.
    misjudged: int
    #: In the objects and never put.
    foreign: int
    #: Seconds from put to object of each record found, in ascending order.
    latencies: list[float]


class Ledger:
    """Keeps the account of one run."""

    def __init__(self) -> None:
        self._lines: dict[bytes, _Line] = {}
        self._open: deque[tuple[_Line, str, Delivery]] = deque()
        self._last_sequence: dict[str, int] = {}
        self.acked = 0
        self.failed = 0
        #: Records that the stream holds before an earlier record of the same key.
        self.out_of_order = 0

    def put(self, data: bytes, key: str, reason: str | None, delivery: Delivery, now: float) -> None:
        """A record was put at `now`, seconds since the epoch. `reason`: why it must be refused, if it must."""
        line = self._lines.setdefault(_digest(data), _Line(now, reason))
        line.put += 1
        self._open.append((line, key, delivery))

    def settle(self) -> None:
        """Write down the outcomes that are there, in the order of put."""
        while self._open and self._open[0][2].done():
            self._settle(*self._open.popleft())

    def put_at(self, data: bytes) -> float | None:
        """When a record was first put; None if it never was."""
        line = self._lines.get(_digest(data))
        return line.put_at if line else None

    def audit(self, found: Iterable[StoredLine]) -> Audit:
        """Hold all that the objects contain against the account."""
        misjudged = foreign = 0
        latencies = []
        for item in found:
            line = self._lines.get(_digest(item.data))
            if line is None:
                foreign += 1
                continue
            line.stored += item.reason is None
            line.rejected += item.reason is not None
            misjudged += item.reason != line.reason
            latencies.append(item.stored_at - line.put_at)
        lines = self._lines.values()
        return Audit(
            stored=sum(line.stored for line in lines),
            rejected=sum(line.rejected for line in lines),
            lost=sum(max(0, line.acked - line.found) for line in lines),
            duplicated=sum(max(0, line.found - line.acked - line.doubtful) for line in lines),
            misjudged=misjudged,
            foreign=foreign,
            latencies=sorted(latencies),
        )

    def _settle(self, line: _Line, key: str, delivery: Delivery) -> None:
        try:
            ack = delivery.result()
        except TruckstreamError as error:
            self.failed += 1
            line.doubtful += error.may_be_stored
            return
        self.acked += 1
        line.acked += 1
        sequence = int(ack.sequence_number)
        last = self._last_sequence.get(key, 0)
        if sequence < last:
            self.out_of_order += 1
        self._last_sequence[key] = max(last, sequence)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
