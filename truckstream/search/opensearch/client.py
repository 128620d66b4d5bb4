"""The calls of OpenSearch that the sink and the search make: one call is one request, and its errors are failures.

opensearch-py carries them out, with its own retries disabled: `indexing/bulk.py` decides on retries.
"""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from truckstream.errors import ConfigurationError, SearchError
from truckstream.kinesis.failures import TRANSIENT, RequestFailedError
from truckstream.search.opensearch.credentials import AwsKeys, aws_host
from truckstream.search.opensearch.failures import OpenSearchFailure

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from types import TracebackType

    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["BulkFailedError", "OpenSearchClient", "OpenSearchOptions"]

#: The members of a response that decide on retries, a tenth of it. `error` is that of a request that failed as a whole.
_BULK_FIELDS: Final = "errors,items.*.status,items.*.error,error"

_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404

#: The characters that are kept of a response that is no JSON, such as a page of a proxy.
_LONGEST_TEXT: Final = 500


class BulkFailedError(Exception):
    """A bulk request failed as a whole. Internal: the sink retries it or raises a `SearchError`."""

    def __init__(self, failure: OpenSearchFailure) -> None:
        super().__init__(f"{failure.code}: {failure.reason}")
        self.failure = failure


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSearchOptions:
    """How OpenSearch is reached.

    Args:
        session: the session, of aiobotocore or aioboto3, whose credentials sign the requests to a host of AWS
            (`….es.amazonaws.com`, `….aoss.amazonaws.com`); by default the environment's.
        request_timeout: seconds until a request without a response counts as failed.
        client_options: further options of opensearch-py's `AsyncOpenSearch`, such as `ca_certs` or `http_auth`.
    """

    session: UserSession | None = None
    request_timeout: float = 30.0
    client_options: Mapping[str, Any] | None = None


class OpenSearchClient:
    """A connection to one cluster or collection.

    Args:
        url: `https://host[:port]`; a user and a password in it are sent as basic authentication.
        options: see there.

    Raises:
        ConfigurationError: the URL is none, or opensearch-py is not installed.
    """

    def __init__(self, url: str, options: OpenSearchOptions) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            hint = "Pass https://host[:port], or http://127.0.0.1:9200."
            raise ConfigurationError("OpenSearch's URL", f"is {_without_password(url)!r}", hint)
        self.url = _without_password(url)
        self._host = aws_host(parts.hostname)
        self._keys = AwsKeys(options.session) if self._host else None
        self._client = self._connect(url, options)

    def __repr__(self) -> str:
        return f"OpenSearchClient({self.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def is_serverless(self) -> bool:
        return self._host is not None and self._host.service == "aoss"

    async def close(self) -> None:
        await self._client.close()

    async def bulk(self, body: bytes) -> Mapping[str, Any]:
        """Send a bulk request and return the response.

        Raises:
            BulkFailedError: it failed as a whole.
        """
        try:
            response = await self._call(self._client.bulk(body=body, params={"filter_path": _BULK_FIELDS}))
        except _StatusError as error:
            raise BulkFailedError(OpenSearchFailure(error.status, error.code, error.message)) from error
        if not isinstance(response, dict):
            raise BulkFailedError(OpenSearchFailure(0, "BadResponse", "the response is no JSON object"))
        return response

    async def request(self, method: str, path: str, body: Any = None, **params: str | int) -> Any:
        """Make any other request and return the response; None for a 404 of a GET.

        Raises:
            SearchError: it failed.
        """
        call = self._client.transport.perform_request(method, path, params=params or None, body=body)
        try:
            return await self._call(call)
        except _StatusError as error:
            if method == "GET" and error.status == _NOT_FOUND:
                return None
            raise

    async def _call(self, call: Coroutine[Any, Any, Any]) -> Any:
        from opensearchpy.exceptions import OpenSearchException, TransportError  # noqa: PLC0415 - see _connect

        try:
            if self._keys is not None:
                await self._keys.refresh()
            return await call
        except RequestFailedError as error:
            call.close()
            raise _StatusError(
                OpenSearchFailure(0 if error.kind in TRANSIENT else _FORBIDDEN, error.code, error.message)
            ) from error
        except TransportError as error:
            raise _translated(error) from error
        except OpenSearchException as error:  # such as a response of a proxy that is no JSON
            raise _StatusError(OpenSearchFailure(0, type(error).__name__, str(error))) from error

    def _connect(self, url: str, options: OpenSearchOptions) -> Any:
        try:
            from opensearchpy import AsyncHttpConnection, AsyncOpenSearch, AWSV4SignerAsyncAuth  # noqa: PLC0415
        except ModuleNotFoundError as missing:
            hint = "Install it: pip install 'truckstream[search]'"
            raise ConfigurationError("opensearch-py", f"is not installed ({missing.name})", hint) from missing
        given = dict(options.client_options or {})
        if self._host is not None and self._keys is not None:
            given.setdefault("http_auth", AWSV4SignerAsyncAuth(self._keys, self._host.region, self._host.service))
        return AsyncOpenSearch(
            hosts=[self.url],
            headers=_authorization(url) | dict(given.pop("headers", {})),
            connection_class=AsyncHttpConnection,
            max_retries=0,
            timeout=options.request_timeout,
            **given,
        )


class _StatusError(SearchError):
    """An error with the response's HTTP status; 0 without a response."""

    def __init__(self, failure: OpenSearchFailure) -> None:
        super().__init__(failure.code, failure.reason, retryable=failure.action == "retry")
        self.status = failure.status


def _translated(error: Any) -> _StatusError:
    """Return the error of a TransportError, whose status is a text if there was no response."""
    status = error.status_code if isinstance(error.status_code, int) else 0
    found: Any = error.error  # the response's text, which the asynchronous client does not decode
    if isinstance(found, str):
        with contextlib.suppress(msgspec.DecodeError):
            found = msgspec.json.decode(found)
    info = found.get("error") if isinstance(found, dict) else None
    if isinstance(info, dict):
        return _StatusError(OpenSearchFailure(status, str(info.get("type")), str(info.get("reason"))))
    code = type(error).__name__ if status == 0 else f"HTTP {status}"
    return _StatusError(OpenSearchFailure(status, code, str(info or found)[:_LONGEST_TEXT]))


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _authorization(url: str) -> dict[str, str]:
    """Return the header of a URL with a user and a password. opensearch-py's own way to send it is deprecated."""
    parts = urlsplit(url)
    if parts.username is None:
        return {}
    words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"authorization": f"Basic {base64.b64encode(words.encode()).decode()}"}
