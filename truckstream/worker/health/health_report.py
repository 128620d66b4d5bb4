"""The health of a worker: one decision from the state of its leases and of its shards.

A worker is healthy while the lease table responds, so that its leases are renewed, and no shard has been storing the
same groups for longer than `stuck_after`. An outage of the store makes it unhealthy, too: a new process cannot end the
outage, but it costs nothing either, because the next owner completes the announced groups.

A worker is ready when it has read the lease table. It may have no shard: there may be fewer shards than workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.worker.storing.shard_status import ShardStatus

__all__ = ["HealthLimits", "HealthReport", "ShardHealth", "report_health"]


class HealthLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long things may take, in seconds."""

    #: One wave of groups, from its announcement to its checkpoint.
    stuck_after: float
    #: The time without a response of the lease table.
    lease_table_silence: float


class ShardHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One shard that the worker has."""

    shard_id: str
    #: Age of the oldest record that is still to be read, at least. It grows while the shard takes no records.
    millis_behind: int
    records_held: int
    records_stored: int
    records_rejected: int
    objects_created: int
    objects_found: int
    #: Seconds since the groups that are being stored were begun; None if none are.
    storing_seconds: float | None
    last_error: str | None


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the health endpoint's responses."""

    is_healthy: bool
    is_ready: bool
    #: Why it is not healthy or not ready; None if it is both.
    reason: str | None
    #: How far behind the shard is that is behind most.
    millis_behind: int
    shards: list[ShardHealth]


def report_health(
    statuses: Sequence[ShardStatus], now: float, limits: HealthLimits, *, lease_table_silence: float | None
) -> HealthReport:
    """Return a worker's health.

    Args:
        statuses: the shards that the worker has.
        now: seconds of the event loop's clock.
        limits: how long things may take.
        lease_table_silence: seconds since the lease table last responded; None if it never did.
    """
    shards = [_shard_health(status, now) for status in sorted(statuses, key=lambda each: each.shard_id)]
    trouble = _lease_trouble(limits, lease_table_silence) or _stuck_shard(shards, limits)
    is_open = lease_table_silence is not None
    return HealthReport(
        is_healthy=trouble is None,
        is_ready=is_open and trouble is None,
        reason=trouble if is_open or trouble else "the lease table has not been read yet",
        millis_behind=max((shard.millis_behind for shard in shards), default=0),
        shards=shards,
    )


def _lease_trouble(limits: HealthLimits, silence: float | None) -> str | None:
    if silence is None or silence <= limits.lease_table_silence:
        return None
    return f"the lease table has not responded for {silence:.0f} s, so the leases are not renewed"


def _stuck_shard(shards: Sequence[ShardHealth], limits: HealthLimits) -> str | None:
    for shard in shards:
        if shard.storing_seconds is not None and shard.storing_seconds > limits.stuck_after:
            error = f": {shard.last_error}" if shard.last_error else ""
            return f"{shard.shard_id} has been storing the same records for {shard.storing_seconds:.0f} s{error}"
    return None


def _shard_health(status: ShardStatus, now: float) -> ShardHealth:
    return ShardHealth(
        shard_id=status.shard_id,
        millis_behind=status.millis_behind_at(now),
        records_held=status.records_held,
        records_stored=status.records_stored,
        records_rejected=status.records_rejected,
        objects_created=status.objects_created,
        objects_found=status.objects_found,
        storing_seconds=None if status.wave_since is None else round(now - status.wave_since, 3),
        last_error=status.last_error,
    )
