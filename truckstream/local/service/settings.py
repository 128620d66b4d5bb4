"""The operations that change how a stream is kept: retention, encryption, tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from truckstream.local.service import limits
from truckstream.local.service.refusal import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.service.account import Account, Answer, Request

__all__ = [
    "add_tags_to_stream",
    "check_tags",
    "decrease_retention",
    "increase_retention",
    "list_tags_for_stream",
    "remove_tags_from_stream",
    "start_encryption",
    "stop_encryption",
]

# --- Retention: the four sentences are recorded ones ----------------------------------------------


def increase_retention(account: Account, request: Request, now: float) -> Answer:
    stream = account.changeable(request, now)
    hours = _retention_hours(request)
    if hours < stream.retention_hours:
        raise invalid(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be shorter than existing "
            f"retention period ({stream.retention_hours} hours). Use DecreaseRetentionPeriod API."
        )
    stream.retention_hours = hours
    account.changing(stream, now)
    return None


def decrease_retention(account: Account, request: Request, now: float) -> Answer:
    stream = account.changeable(request, now)
    hours = _retention_hours(request)
    if hours > stream.retention_hours:
        raise invalid(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be longer than existing "
            f"retention period ({stream.retention_hours} hours). Use IncreaseRetentionPeriod API."
        )
    stream.retention_hours = hours
    account.changing(stream, now)
    return None


def _retention_hours(request: Request) -> int:
    hours: int = request["RetentionPeriodHours"]
    if hours < limits.RETENTION_HOURS:
        raise invalid(
            f"Minimum allowed retention period is {limits.RETENTION_HOURS} hours. "
            f"Requested retention period ({hours} hours) is too short."
        )
    if hours > limits.RETENTION_HOURS_MAX:
        raise invalid(
            f"Maximum allowed retention period is {limits.RETENTION_HOURS_MAX} hours. "
            f"Requested retention period ({hours} hours) is too long."
        )
    return hours


# --- Encryption -----------------------------------------------------------------------------------


def start_encryption(account: Account, request: Request, now: float) -> Answer:
    if request["EncryptionType"] != "KMS":
        raise invalid("The EncryptionType must be KMS.")
    stream = account.changeable(request, now)
    stream.encrypt(request["KeyId"], now)
    account.changing(stream, now)
    return None


def stop_encryption(account: Account, request: Request, now: float) -> Answer:
    if request["EncryptionType"] != "KMS":
        raise invalid("The EncryptionType must be KMS.")
    stream = account.changeable(request, now)
    stream.encrypt(None, now)
    account.changing(stream, now)
    return None


# --- Tags -----------------------------------------------------------------------------------------

_TAG_TEXT: Final = re.compile(r"[\w\s.:/=+\-@%]*")


def check_tags(name: str, account_id: str, tags: dict[str, str], existing: Iterable[str] = ()) -> None:
    """Refuse tags that the service would not add."""
    if not all(_TAG_TEXT.fullmatch(part) for tag in tags.items() for part in tag):
        raise invalid(
            f"Failed to add tags to stream {name} under account {account_id} because some tags contained illegal "
            "characters. The allowed characters are Unicode letters, white-spaces, '_',',','/','=','+','-','@','%'."
        )
    if len(set(existing) | set(tags)) > limits.TAGS:
        raise invalid(
            f"Failed to add tags to stream {name} under account {account_id} because a given stream cannot have more "
            f"than {limits.TAGS} tags associated with it."
        )


def add_tags_to_stream(account: Account, request: Request, now: float) -> Answer:
    stream = account.named(request, now)
    check_tags(stream.name, account.account_id, request["Tags"], stream.tags)
    stream.tags.update(request["Tags"])
    return None


def remove_tags_from_stream(account: Account, request: Request, now: float) -> Answer:
    stream = account.named(request, now)
    for key in request["TagKeys"]:
        stream.tags.pop(key, None)
    return None


def list_tags_for_stream(account: Account, request: Request, now: float) -> Answer:
    tags = account.named(request, now).tags
    keys = sorted(key for key in tags if key > request.get("ExclusiveStartTagKey", ""))
    page = keys[: request.get("Limit", limits.TAGS)]
    listed: list[dict[str, Any]] = [{"Key": key, "Value": tags[key]} for key in page]
    return {"Tags": listed, "HasMoreTags": len(page) < len(keys)}
