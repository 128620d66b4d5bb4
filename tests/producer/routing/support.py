"""A router, and records that it routes."""

from __future__ import annotations

from typing import Any

from truckstream.producer.options import ProducerOptions
from truckstream.producer.queueing.outbox import QueuedRecord
from truckstream.producer.routing.router import Router

#: Explicit hash keys of the first and of the second half of all hash keys.
LEFT, RIGHT = "0", str(2**127)


def make_router(**options: Any) -> Router:
    """A router that knows no shards."""
    defaults = {"buffer_bytes": 64 << 20, "linger": 0.1, "delivery_timeout": 120.0, "max_in_flight": 10}
    return Router(ProducerOptions(**defaults | options))


def make_record(
    router: Router,
    put_at: float = 0.0,
    key: str = "TRUCK_001",
    hash_key: str | None = None,
    data: bytes = b"0123456789",
    *,
    queued: bool = True,
    held: bool = False,
) -> QueuedRecord:
    """A record with a route. If `queued` it waits where it was put; if `held`, in the queue of its outbox."""
    routed = router.route(key, hash_key)
    size = len(data) + routed.key_size
    record = QueuedRecord(data, routed.tail, key, hash_key, size, size + routed.overhead, routed.outbox, put_at=put_at)
    if queued:
        (routed.outbox.queue if held else routed.outbox.entry).append(record)
    return record
