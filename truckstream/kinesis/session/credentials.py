"""The session's credentials: refreshed before they expire, and renewed after the service has rejected them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.session.signing import Keys

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiobotocore.session import AioSession

__all__ = ["SessionCredentials", "translate_errors"]


class SessionCredentials:
    """The credentials of an aiobotocore session."""

    def __init__(self, session: AioSession) -> None:
        self._session: Any = session
        # The session's own credentials, and those in use: others, once the service has rejected the session's.
        self._of_session: Any = None
        self._in_use: Any = None
        self._renewing = asyncio.Lock()

    async def current(self) -> Keys:
        """Return the keys to sign with now; they are refreshed first if they are about to expire.

        Raises:
            RequestFailedError: there are no credentials, or they could not be refreshed.
        """
        of_session = await translate_errors(self._session.get_credentials())
        if of_session is None:
            raise RequestFailedError(FailureKind.PERMANENT, "NoCredentialsError", "Unable to locate credentials")
        if of_session is not self._of_session:  # the first call, or the user has set others
            self._of_session = self._in_use = of_session
        frozen = await translate_errors(self._in_use.get_frozen_credentials())
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    async def renew(self, rejected: Keys) -> Keys:
        """Return other keys than those that the service has rejected, or the same if there are no others.

        Raises:
            RequestFailedError: new credentials could not be fetched.
        """
        async with self._renewing:
            keys = await self.current()
            if keys != rejected:
                return keys  # another request has renewed them meanwhile
            await self._fetch_others()
            return await self.current()

    async def _fetch_others(self) -> None:
        if hasattr(self._in_use, "_protected_refresh"):
            # Credentials that can be refreshed, such as a role's. aiobotocore refreshes them by the clock alone; it has
            # no public way to refresh credentials that the service has rejected before they expire. Both names are
            # the same in aiobotocore 2.25.0 to 3.10.0 (read 2026-11-27).
            async with self._in_use._refresh_lock:  # noqa: SLF001
                await translate_errors(self._in_use._protected_refresh(is_mandatory=True))  # noqa: SLF001
        elif self._in_use.method != "explicit":  # such as a file, which may have new ones
            resolver = self._session.get_component("credential_provider")
            self._in_use = await translate_errors(resolver.load_credentials()) or self._in_use


async def translate_errors(call: Awaitable[Any]) -> Any:
    """Await a call of aiobotocore's that precedes sending; raise its errors as `RequestFailedError`."""
    import botocore.exceptions as boto  # noqa: PLC0415 - loaded with the client

    try:
        return await call
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise RequestFailedError(FailureKind.PERMANENT, type(error).__name__, str(error)) from error
    except Exception as error:
        # A credential provider may raise anything: a role that cannot be assumed, no response from the metadata
        # service, a login that has expired.
        raise RequestFailedError(FailureKind.CREDENTIALS, type(error).__name__, str(error)) from error
