"""Records for a queue, without a core around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truckstream.producer.queueing.outbox import QueuedRecord

if TYPE_CHECKING:
    from collections.abc import Iterable


def record(
    put_at: float, key: str = "TRUCK_001", *, size: int = 1, hash_key: str | None = None, outbox: Any = None
) -> Any:
    """A record of `size` bytes that was put at `put_at`."""
    return QueuedRecord(b"", b"", key, hash_key, size, size, outbox, put_at=put_at)


def times(records: Iterable[QueuedRecord]) -> list[float]:
    """The times of put, by which tests name records."""
    return [each.put_at for each in records]
