"""The session that a user passes: of aiobotocore, or of aioboto3, which wraps one."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from aioboto3 import Session as Aioboto3Session
    from aiobotocore.session import AioSession

    UserSession: TypeAlias = AioSession | Aioboto3Session

__all__ = ["aio_session"]

_RULE: Final = "must be an aiobotocore session, as aiobotocore.session.get_session() returns it, or an aioboto3.Session"
_BLOCKING_RULE: Final = f"{_RULE}: the calls of a boto3 or botocore session would block the event loop"


def aio_session(session: UserSession | None) -> AioSession | None:
    """Return the aiobotocore session behind the `session` argument of a user; None if there is none.

    The region, the profile and the credentials of an aioboto3 session are those of the session that it wraps. Sessions
    are told by their methods, because aioboto3 is not installed everywhere, and importing aiobotocore takes long.

    Raises:
        InvalidArgumentError: it is something else.
    """
    if session is None:
        return None
    found: Any = session if hasattr(session, "create_client") else getattr(session, "_session", None)
    if not hasattr(found, "create_client"):
        raise InvalidArgumentError("session", session, _RULE)
    if not inspect.iscoroutinefunction(getattr(found, "get_credentials", None)):
        raise InvalidArgumentError("session", session, _BLOCKING_RULE)
    return found
