"""Reports of trucks for the tests of the dashboard."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from tests.sample_record import SAMPLE
from truckstream.alerts import default_rules
from truckstream.dashboard import FleetView, ViewSource

START: Final = datetime(2026, 11, 29, 8, tzinfo=UTC).timestamp()
SHARD: Final = "shardId-000000000000"

STREAM: Final = ViewSource(title="trucks", kind="stream", known=frozenset({"shards", "bytes", "throttles", "lag"}))


def report(truck_id: str = "TRUCK_001", time: float = START, **fields: object) -> bytes:
    """Return the bytes of a valid report at a time, unless `fields` make it invalid."""
    stamp = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return json.dumps(SAMPLE | {"truck_id": truck_id, "timestamp": stamp} | fields).encode()


def make_view(**options: Any) -> FleetView:
    return FleetView(STREAM, **{"rules": default_rules()} | options)


def observe(view: FleetView, data: bytes, key: str = "TRUCK_001", now: float = START, shard: str = SHARD) -> None:
    view.observe(data, key, shard, now, now)


def changes(view: FleetView, since: int | None = None) -> tuple[dict[str, Any], int]:
    """Return the message since a version, and the next version."""
    update = view.delta(since)
    return json.loads(update.data), update.version
