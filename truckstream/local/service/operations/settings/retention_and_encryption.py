"""The operations that change how a stream is kept: retention and encryption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.local.service.errors import invalid, limit_exceeded
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from truckstream.local.service.state.account import Account, Answer, Request
    from truckstream.local.service.state.stream import Stream

__all__ = [
    "decrease_retention",
    "increase_retention",
    "start_encryption",
    "stop_encryption",
]

_DAY: Final = 86_400.0

# --- Retention: the three sentences are recorded ones ---------------------------------------------


def increase_retention(account: Account, request: Request, now: float) -> Answer:
    stream = account.changeable(request, now)
    hours = _retention_hours(request)
    if hours < stream.retention_hours:
        raise invalid(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be shorter than existing "
            f"retention period ({stream.retention_hours} hours). Use DecreaseRetentionPeriod API."
        )
    _retain(account, stream, hours, now)
    return None


def decrease_retention(account: Account, request: Request, now: float) -> Answer:
    stream = account.changeable(request, now)
    hours = _retention_hours(request)
    if hours > stream.retention_hours:
        raise invalid(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be longer than existing "
            f"retention period ({stream.retention_hours} hours). Use IncreaseRetentionPeriod API."
        )
    _retain(account, stream, hours, now)
    return None


def _retain(account: Account, stream: Stream, hours: int, now: float) -> None:
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


# --- Encryption -----------------------------------------------------------------------------------


def start_encryption(account: Account, request: Request, now: float) -> Answer:
    return _encrypt(account, request, request["KeyId"], now)


def stop_encryption(account: Account, request: Request, now: float) -> Answer:
    return _encrypt(account, request, None, now)


def _encrypt(account: Account, request: Request, key_id: str | None, now: float) -> Answer:
    if request["EncryptionType"] != "KMS":
        raise invalid("The EncryptionType must be KMS.")
    stream = account.changeable(request, now)
    kind = "StopStreamEncryption" if key_id is None else "StartStreamEncryption"
    if stream.encryption_changes(now - _DAY, started=key_id is not None) >= limits.ENCRYPTION_CHANGES_A_DAY:
        raise limit_exceeded(
            f"{kind} may be called {limits.ENCRYPTION_CHANGES_A_DAY} times in 24 hours for a stream; "
            f"stream {stream.name} under account {account.account_id} has reached it."
        )
    stream.encrypt(key_id, now)
    account.changing(stream, now)
    return None
