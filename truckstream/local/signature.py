"""Signatures of AWS requests (Signature Version 4), seen from the service's side.

"Requests must reach AWS within five minutes of the time stamp in the signature"; the sentences are those that clients
of the service report.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from truckstream.local.service.refusal import RefusedError

__all__ = ["check_age"]

_WINDOW_SECONDS: Final = 300.0
_FORMAT: Final = "%Y%m%dT%H%M%SZ"


def check_age(signed_at: str, now: float) -> None:
    """Refuse a request whose X-Amz-Date is over five minutes from `now`, in seconds since the epoch.

    Raises:
        RefusedError: InvalidSignatureException, with both times.
    """
    try:
        moment = datetime.strptime(signed_at, _FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return  # not signed, or not by this scheme
    if moment < now - _WINDOW_SECONDS:
        text = (
            f"Signature expired: {signed_at} is now earlier than {_tell(now - _WINDOW_SECONDS)} ({_tell(now)} - 5 min.)"
        )
        raise RefusedError("InvalidSignatureException", text)
    if moment > now + _WINDOW_SECONDS:
        text = (
            f"Signature not yet current: {signed_at} is still later than {_tell(now + _WINDOW_SECONDS)} "
            f"({_tell(now)} + 5 min.)"
        )
        raise RefusedError("InvalidSignatureException", text)


def _tell(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime(_FORMAT)
