"""StartStreamEncryption and StopStreamEncryption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.local.service.errors import invalid, limit_exceeded
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount

__all__ = ["start_encryption", "stop_encryption"]


def start_encryption(account: KinesisAccount, request: Request, now: float) -> Response:
    return _encrypt(account, request, request["KeyId"], now)


def stop_encryption(account: KinesisAccount, request: Request, now: float) -> Response:
    return _encrypt(account, request, None, now)


def _encrypt(account: KinesisAccount, request: Request, key_id: str | None, now: float) -> Response:
    if request["EncryptionType"] != "KMS":
        raise invalid("The EncryptionType must be KMS.")
    stream = account.changeable(request, now)
    kind = "StopStreamEncryption" if key_id is None else "StartStreamEncryption"
    if (
        stream.encryption_changes(now - limits.DAY_SECONDS, started=key_id is not None)
        >= limits.ENCRYPTION_CHANGES_A_DAY
    ):
        raise limit_exceeded(
            f"{kind} may be called {limits.ENCRYPTION_CHANGES_A_DAY} times in 24 hours for a stream; "
            f"stream {stream.name} under account {account.account_id} has reached it."
        )
    stream.encrypt(key_id, now)
    account.changing(stream, now)
    return None
