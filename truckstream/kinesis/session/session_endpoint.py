"""The service's endpoint as the user's aiobotocore session resolves it: its address, credentials and connections.

aiobotocore resolves profiles, roles, endpoints, proxies and certificates, and nothing of that is repeated here. Its
client prepares one request of each operation and is stopped just before it would send it. That request is the template
for all requests of the operation (`request_template.py`). They go over connections of our own, or through aiohttp where
there is a proxy or where the user has set arguments of aiohttp's connector.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from truckstream.errors import ConfigurationError, InvalidArgumentError
from truckstream.kinesis.http.body_buffers import BodyBuffers
from truckstream.kinesis.http.http1 import MAX_BODY_BYTES, header_lines
from truckstream.kinesis.session.credentials import SessionCredentials, translate_errors
from truckstream.kinesis.session.default_session import load_aiobotocore, prepared_session, wait_for_turn
from truckstream.kinesis.session.network_settings import NetworkSettings
from truckstream.kinesis.session.request_template import DEFAULT_PORTS, RequestTemplate, template_from
from truckstream.kinesis.session.user_session import aio_session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from truckstream.kinesis.attempt import Attempt
    from truckstream.kinesis.fan_out.http2_pool import Http2Pool
    from truckstream.kinesis.http.connection_pool import ConnectionPool
    from truckstream.kinesis.http.http1 import HttpResponse
    from truckstream.kinesis.outgoing_body import OutgoingBody
    from truckstream.kinesis.session.user_session import UserSession

    _Pool = TypeVar("_Pool", ConnectionPool, Http2Pool)
    _Transport = Callable[[RequestTemplate, Mapping[str, str], OutgoingBody, Attempt], Awaitable[HttpResponse]]

__all__ = ["SessionEndpoint"]

#: "The maximum size of data that GetRecords can return is 10 MiB" in 10,000 records. They are 14 MB in base64, and each
#: record adds 200 bytes and a key of 256 characters, which take up to 6 bytes each in JSON.
MAX_RESPONSE_BYTES: Final = {"GetRecords": 40 * 1024 * 1024}

#: Keys that aiobotocore signs with when it only prepares a request. botocore logs all that it signs at DEBUG, keys and
#: token included, so it must not sign with the real ones.
_PLACEHOLDER_KEYS: Final = dict.fromkeys(
    ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), "a-placeholder-for-requests-never-sent"
)


class SessionEndpoint:
    """The user's session, opened for Kinesis.

    Args:
        region_name, endpoint_url, session: as in aiobotocore; by default the environment's.
        connections: the maximum number of requests at a time.
        request_timeout: seconds that the service may keep silent, while it takes a request or before its response.
    """

    #: The session's credentials, once the endpoint is open.
    credentials: SessionCredentials

    def __init__(
        self,
        *,
        region_name: str | None,
        endpoint_url: str | None,
        session: UserSession | None,
        connections: int,
        request_timeout: float,
    ) -> None:
        for argument, value in (("region_name", region_name), ("endpoint_url", endpoint_url)):
            if value is not None and not isinstance(value, str):
                raise InvalidArgumentError(argument, value, "must be a str")
        self._region_name = region_name
        self._endpoint_url = endpoint_url
        self._session: Any = aio_session(session)
        self._connections = connections
        self._connect_timeout = min(5.0, request_timeout)
        self._request_timeout = request_timeout
        #: Whoever has parsed the body of a response may give it back to these.
        self.body_buffers = BodyBuffers()
        self._resources = AsyncExitStack()
        self._client: Any = None
        self._network: NetworkSettings
        self._templates: dict[str, RequestTemplate] = {}  # by operation
        self._transports: dict[str, _Transport] = {}  # by origin
        self._http2_pools: dict[str, Http2Pool] = {}  # by origin
        self._opening_transport = asyncio.Lock()

    async def open(self) -> None:
        """Make aiobotocore's client.

        Raises:
            ConfigurationError: no region is set, or aiobotocore rejects the region, the endpoint or the profile.
        """
        await load_aiobotocore()
        from aiobotocore.config import AioConfig  # noqa: PLC0415 - loaded by the line above
        from botocore.exceptions import BotoCoreError, NoRegionError  # noqa: PLC0415

        config = AioConfig(
            connect_timeout=self._connect_timeout,
            read_timeout=self._request_timeout,
            max_pool_connections=self._connections,
            retries={"total_max_attempts": 1},
            parameter_validation=False,
        )
        try:
            self._session = await prepared_session(self._session, "kinesis")
            await wait_for_turn()
            context = self._session.create_client(
                "kinesis",
                region_name=self._region_name,
                endpoint_url=self._endpoint_url,
                config=config,
                **_PLACEHOLDER_KEYS,
            )
            self._client = await self._resources.enter_async_context(context)
        except NoRegionError as error:
            hint = "Pass region_name=, or set AWS_DEFAULT_REGION, or pass the stream's ARN."
            raise ConfigurationError("region_name", "is not set", hint) from error
        except (BotoCoreError, ValueError) as error:
            hint = "Check region_name=, endpoint_url=, AWS_PROFILE and AWS_ENDPOINT_URL_KINESIS."
            raise ConfigurationError("the AWS configuration", f"is invalid: {str(error).rstrip('.')}", hint) from error
        url = self._client.meta.endpoint_url
        if urlsplit(url).scheme not in DEFAULT_PORTS:
            raise ConfigurationError("endpoint_url", f"is {url!r}", "Give a URL that begins with https:// or http://.")
        self._client.meta.events.register_first("before-send.kinesis", _intercept)
        self.credentials = SessionCredentials(self._session)
        self._network = NetworkSettings.of(self._session, self._client)

    async def close(self) -> None:
        """Close the sockets. May be called twice."""
        self._client = None
        await self._resources.aclose()

    async def template(self, operation: str, names: Mapping[str, Any]) -> RequestTemplate:
        """Return the template for the requests of an operation, such as "PutRecords".

        `names` are the members of its request that may decide about the address, such as the stream's name or ARN.

        Raises:
            RequestFailedError: aiobotocore could not prepare a request.
        """
        template = self._templates.get(operation)
        if template is None:
            limit = MAX_RESPONSE_BYTES.get(operation, MAX_BODY_BYTES)
            template = self._templates[operation] = template_from(await self._prepare(operation, names), limit)
        return template

    async def _prepare(self, operation: str, names: Mapping[str, Any]) -> Any:
        """Return the request that aiobotocore would send for an operation."""
        method = self._client.meta.method_to_api_mapping
        [name] = [name for name, api_name in method.items() if api_name == operation]
        prepared = await translate_errors(_intercepted(getattr(self._client, name)(**names)))
        if prepared is None:
            raise AssertionError("aiobotocore sent a request that it should only have prepared")
        return prepared

    async def send(
        self, template: RequestTemplate, signature: Mapping[str, str], body: OutgoingBody, attempt: Attempt
    ) -> HttpResponse:
        """Send one request with the template's headers and those of `signature`; return the response of any status.

        `attempt` is told of the progress.

        Raises:
            RequestFailedError: there was no response, or it was incomplete.
        """
        transport = self._transports.get(template.origin) or await self._open_transport(template)
        return await transport(template, signature, body, attempt)

    async def http2_pool(self, template: RequestTemplate) -> Http2Pool:
        """Return the connections over HTTP/2 to the address of an operation.

        Raises:
            ConfigurationError: the package h2 is missing, or the session's settings need aiohttp, which has no HTTP/2.
        """
        async with self._opening_transport:
            if template.origin not in self._http2_pools:
                self._http2_pools[template.origin] = await self._new_http2_pool(template.url)
            return self._http2_pools[template.origin]

    async def _new_http2_pool(self, url: str) -> Http2Pool:
        try:
            from truckstream.kinesis.fan_out.http2_pool import Http2Pool  # noqa: PLC0415 - an optional package
        except ModuleNotFoundError as error:
            hint = "Install it: pip install 'truckstream[fan-out]'."
            raise ConfigurationError("enhanced fan-out", f"needs the package {error.name}", hint) from error
        if proxy := self._network.proxy_for(url):
            hint = "Read without enhanced fan-out, or add the service's host to NO_PROXY."
            raise ConfigurationError("enhanced fan-out", f"cannot go through a proxy ({_redacted(proxy)})", hint)
        if self._network.has_connector_args:
            hint = "Read without enhanced fan-out, or without connector_args in the session's configuration."
            raise ConfigurationError("enhanced fan-out", "cannot use connector_args, which are aiohttp's", hint)
        return await self._make_pool(Http2Pool, url)

    async def _open_transport(self, template: RequestTemplate) -> _Transport:
        async with self._opening_transport:  # the first requests may come together
            if template.origin not in self._transports:
                self._transports[template.origin] = await self._new_transport(template.url)
            return self._transports[template.origin]

    async def _new_transport(self, url: str) -> _Transport:
        proxy = self._network.proxy_for(url)
        if proxy or self._network.has_connector_args:
            return await self._transport_through_aiohttp(proxy)
        return await self._transport_over_own_connections(url)

    async def _transport_over_own_connections(self, url: str) -> _Transport:
        from truckstream.kinesis.http.connection_pool import ConnectionPool  # noqa: PLC0415 - for those who send

        pool = await self._make_pool(partial(ConnectionPool, buffers=self.body_buffers), url)

        async def send(
            template: RequestTemplate, signature: Mapping[str, str], body: OutgoingBody, attempt: Attempt
        ) -> HttpResponse:
            added = header_lines({**signature, "Content-Length": str(len(body.content))})
            head = template.head + added + b"\r\n"
            return await pool.post(head, body, attempt, template.max_response_bytes)

        return send

    async def _make_pool(self, kind: Callable[..., _Pool], url: str) -> _Pool:
        address = urlsplit(url)
        pool = kind(
            address.hostname or "",
            address.port or DEFAULT_PORTS[address.scheme],
            await asyncio.to_thread(self._network.tls_context) if address.scheme == "https" else None,
            connect_timeout=self._connect_timeout,
            response_timeout=self._request_timeout,
        )
        self._resources.push_async_callback(pool.close)
        return pool

    async def _transport_through_aiohttp(self, proxy: str | None) -> _Transport:
        from truckstream.kinesis.http.aiohttp_transport import post  # noqa: PLC0415 - for those who need a proxy

        session = await self._network.open_aiohttp_session(proxy, self._resources)
        timeouts = (self._connect_timeout, self._request_timeout)

        async def send(
            template: RequestTemplate, signature: Mapping[str, str], body: OutgoingBody, attempt: Attempt
        ) -> HttpResponse:
            headers = {**template.headers, **signature}
            limit = template.max_response_bytes
            return await post(
                session,
                template.url,
                headers,
                body.content,
                attempt,
                proxy=proxy,
                timeouts=timeouts,
                max_body_bytes=limit,
            )

        return send


def _redacted(proxy: str) -> str:
    """Return the URL of a proxy without its user name and password."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class _Intercepted(Exception):  # noqa: N818 - it stops a client before it sends, and is no error
    def __init__(self, request: Any) -> None:
        super().__init__("intercepted")
        self.request = request


def _intercept(request: Any, **_: Any) -> None:
    raise _Intercepted(request)


async def _intercepted(call: Awaitable[object]) -> Any:
    """Return the request that `call` was about to send; None if it was sent."""
    try:
        await call
    except _Intercepted as intercepted:
        return intercepted.request
    return None
