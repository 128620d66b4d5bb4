"""IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod.

Their error messages were recorded from the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.local.service.errors import invalid
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.stream import Stream

__all__ = ["decrease_retention", "increase_retention"]


def increase_retention(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.changeable(request, now)
    hours = _retention_hours(request)
    if hours < stream.retention_hours:
        raise invalid(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be shorter than existing "
            f"retention period ({stream.retention_hours} hours). Use DecreaseRetentionPeriod API."
        )
    _retain(account, stream, hours, now)
    return None


def decrease_retention(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.changeable(request, now)
    hours = _retention_hours(request)
    if hours > stream.retention_hours:
        raise invalid(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be longer than existing "
            f"retention period ({stream.retention_hours} hours). Use IncreaseRetentionPeriod API."
        )
    _retain(account, stream, hours, now)
    return None


def _retain(account: KinesisAccount, stream: Stream, hours: int, now: float) -> None:
    if hours != stream.retention_hours:  # else the stream stays ACTIVE
        stream.retention_hours = hours
        account.changing(stream, now)


def _retention_hours(request: Request) -> int:
    hours: int = request["RetentionPeriodHours"]
    if hours < limits.RETENTION_HOURS:
        raise invalid(
            f"Minimum allowed retention period is {limits.RETENTION_HOURS} hours. "
            f"Requested retention period ({hours} hours) is too short."
        )
    return hours
