"""Signed calls: one request, signed again where that helps.

A request is sent again only if it is known that nothing of it was carried out, and only once for each reason: one that
was rejected for its time or its credentials is signed with the service's time or with new credentials. Any other retry
in here could store a record twice, and nobody would know.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from truckstream.kinesis.attempt import Attempt
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.outgoing_body import OutgoingBody
from truckstream.kinesis.responses import parse_error
from truckstream.kinesis.session.service_clock import ServiceClock
from truckstream.kinesis.session.signing import Keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from truckstream.kinesis.session.request_template import RequestTemplate
    from truckstream.kinesis.session.session_endpoint import SessionEndpoint

__all__ = ["SignedCalls"]

OK: Final = 200

#: Seconds that credentials may take, if `request_timeout` is less. A metadata service, a role or a single sign-on takes
#: several calls, each with retries of botocore's, and a credential process starts a program.
CREDENTIALS_SECONDS: Final = 20.0

#: The keys of a session whose requests are not signed.
NO_KEYS: Final = Keys("", "", None)

#: The service does not know the access key, or no longer knows it: other credentials may help, the same ones do not.
_UNKNOWN_KEY_CODES: Final = {"UnrecognizedClientException", "InvalidClientTokenId"}


class _Response(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


_R = TypeVar("_R", bound=_Response)
_T = TypeVar("_T")


class SignedCalls:
    """Makes signed calls to the endpoint of a session.

    Args:
        endpoint: the session's endpoint.
        request_timeout: as in `KinesisClient`.
    """

    def __init__(self, endpoint: SessionEndpoint, request_timeout: float) -> None:
        self._endpoint = endpoint
        self._clock = ServiceClock()
        self._credentials_timeout = max(CREDENTIALS_SECONDS, request_timeout)

    async def call(
        self,
        operation: str,
        names: Mapping[str, Any],
        body: bytes | Callable[[], bytes],
        attempt: Attempt | None = None,
    ) -> bytes:
        """Make a call and return the body of its response.

        Args:
            operation: its name, such as "PutRecords".
            names: the members of the request that may decide about the address; see `SessionEndpoint.template`.
            body: the body of the request; a large one as a function that encodes it, again if need be, so that it is
                not kept while the response is awaited.
            attempt: is told of the progress.

        Raises:
            RequestFailedError: there was no response, or it is an error.
        """
        attempt = attempt or Attempt()
        content = OutgoingBody(body if callable(body) else lambda: body)

        async def send(template: RequestTemplate, signature: Mapping[str, str]) -> Any:
            return await self._endpoint.send(template, signature, content, attempt)

        response: _Response = await self.exchange(operation, names, content, send, attempt)
        return response.body

    async def exchange(
        self,
        operation: str,
        names: Mapping[str, Any],
        body: OutgoingBody,
        send: Callable[[RequestTemplate, Mapping[str, str]], Awaitable[_R]],
        attempt: Attempt,
    ) -> _R:
        """Make a call by `send`, which gets the template and the signature, and return its response of status 200."""
        attempt.prepare()
        template, keys = await self._within_patience(self._template_and_keys(operation, names))
        curable = {FailureKind.CLOCK_SKEW, FailureKind.CREDENTIALS}
        while True:
            offset = self._clock.offset
            signature = template.signer.sign(body.content, keys, self._clock.at(time.time())) if template.signer else {}
            response = await send(template, signature)
            if response.status == OK:
                return response
            failure = parse_error(response.status, response.headers.get("x-amzn-errortype"), response.body)
            kind = FailureKind.CREDENTIALS if failure.code in _UNKNOWN_KEY_CODES else failure.kind
            if kind in curable:
                attempt.prepare()
                new_keys = await self._keys_after(kind, response, keys, offset)
            else:
                new_keys = None
            if not new_keys:
                try:
                    raise failure
                finally:
                    del failure  # its traceback holds this frame, and so the records: a cycle that only gc would free
            curable.remove(kind)
            keys = new_keys

    async def _template_and_keys(self, operation: str, names: Mapping[str, Any]) -> tuple[RequestTemplate, Keys]:
        template = await self._endpoint.template(operation, names)
        return template, await self._endpoint.credentials.current() if template.signer else NO_KEYS

    async def _keys_after(self, kind: FailureKind, response: _Response, keys: Keys, offset: float) -> Keys | None:
        """Correct the clock or renew the credentials; return the keys to sign with again, None if nothing changed.

        The rejected request was signed with `keys`, and with the clock at `offset`.
        """
        if kind is FailureKind.CLOCK_SKEW:
            return keys if self._clock.correct(response.headers.get("date"), time.time(), offset) else None
        renewed = await self._within_patience(self._endpoint.credentials.renew(keys))
        return None if renewed == keys else renewed

    async def _within_patience(self, call: Coroutine[Any, Any, _T]) -> _T:
        """Bound the wait for credentials: their provider may be a metadata service or a program that never ends."""
        limit = asyncio.timeout(self._credentials_timeout)
        try:
            async with limit:
                return await call
        except TimeoutError as error:
            if not limit.expired():
                raise
            text = f"no credentials within {self._credentials_timeout:g} s"
            raise RequestFailedError(FailureKind.CREDENTIALS, "TimeoutError", text) from error
