"""Records and queries that several tests share."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.sample_record import DESCRIBED
from truckstream.kinesis.reading.shard_record import ShardRecord

if TYPE_CHECKING:
    from truckstream.kinesis.reading.shard_record import ShardRecord as Record

#: 2025-01-15T08:00:00Z, a multiple of every window of the tests.
BASE = 1_736_928_000


def line(second: float, truck: str = "A", **fields: Any) -> bytes:
    """Return a valid record of a moment after `BASE`."""
    timestamp = datetime.fromtimestamp(BASE + second, UTC).isoformat()
    record = {**DESCRIBED, "truck_id": truck, "timestamp": timestamp, **fields}
    return json.dumps(record, separators=(",", ":")).encode()


def shard_record(number: int, data: bytes, *, arrival: float | None = None, shard: str = "shard-1") -> Record:
    """Return the record with this sequence number; by default it arrived a day after `BASE`."""
    return ShardRecord(data, "A", str(number), BASE + 86_400 if arrival is None else BASE + arrival, shard)
