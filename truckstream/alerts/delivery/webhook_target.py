"""Alerts to a webhook: one POST an event.

- The header Idempotency-Key is the event's key, the same in each attempt, so that the server can drop a repetition.
- A token is sent as `Authorization: Bearer`, and never to another address: redirects are not followed, and without TLS
  only this machine is called.
- 2xx is success. 408, 425, 429 and 5xx, a timeout and a broken connection are tried again. Any other status is final:
  the same request would fail again, and the events behind it should not wait.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from truckstream.errors import AlertTargetError, InvalidArgumentError
from truckstream.kinesis.session.local_endpoint import is_on_this_machine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from aiohttp import ClientSession

    from truckstream.alerts.alert_event import AlertEvent

__all__ = ["WebhookTarget"]

_RETRIED: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = 500


class WebhookTarget:
    """Posts each event as JSON.

    Args:
        url: https, or http on this machine. It may itself be a secret, so that only its host appears in the log.
        token: sent as a bearer token; None sends none.
        allow_http: whether a plain URL of another machine is allowed.
        timeout: seconds for one request.

    Raises:
        InvalidArgumentError: the URL is not allowed. The message does not contain it.
    """

    batch = 1

    def __init__(self, url: str, *, token: str | None = None, allow_http: bool = False, timeout: float = 10.0) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
            parts = urlsplit("")
        if not host or parts.scheme not in {"http", "https"} or parts.username is not None:
            rule = "must be a URL such as https://example.com/hook, without a user or a password in it"
            raise InvalidArgumentError("webhook", "not such a URL", rule)
        if parts.scheme == "http" and not allow_http and not is_on_this_machine(url):
            rule = "must be https, because others could read the token on the way; http is for this machine"
            raise InvalidArgumentError("webhook", f"http on {host}", rule)
        if token is not None and not (token.isascii() and token.isprintable() and token):
            raise InvalidArgumentError("webhook_token", "not such a text", "must be printable ASCII")
        self.name = f"webhook {host}:{port}" if port else f"webhook {host}"
        self._url = url
        self._headers = {"Content-Type": "application/json", "User-Agent": "truckstream"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout
        self._resources = AsyncExitStack()
        self._session: ClientSession

    async def __aenter__(self) -> Self:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar  # noqa: PLC0415 - only a webhook needs it

        session = ClientSession(timeout=ClientTimeout(total=self._timeout), cookie_jar=DummyCookieJar())
        self._session = await self._resources.enter_async_context(session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def send(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        """Post the event. The body of the response is not read."""
        from aiohttp import ClientError  # noqa: PLC0415

        [event] = events
        headers = self._headers | {"Idempotency-Key": event.key}
        try:
            async with self._session.post(
                self._url, data=event.to_json(), headers=headers, allow_redirects=False
            ) as response:
                status = response.status
        except TimeoutError as error:
            raise AlertTargetError("Timeout", f"no response within {self._timeout:g} s") from error
        except (ClientError, OSError, ValueError) as error:
            raise AlertTargetError(type(error).__name__, "the request failed") from error
        if not 200 <= status < 300:  # noqa: PLR2004 - success
            retryable = status in _RETRIED or status >= _SERVER_ERRORS
            raise AlertTargetError(f"HTTP {status}", "", retryable=retryable)
        return ()
