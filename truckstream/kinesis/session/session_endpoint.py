"""The way to the service as the user's aiobotocore session knows it: the address, the identity and the connections.

aiobotocore resolves profiles, roles, endpoints, proxies and certificates; nothing of that is repeated here. Its client
prepares one request of each operation and is stopped just before it would send it: that is the template for all
requests of the operation, with the address, the region and the headers that it would have had. They go over
connections of our own with the client's TLS context, or, where there is a proxy or a connector of the user's, through
the aiohttp session that the client keeps.

Used of aiobotocore beside its public names, and the same from 2.25 to 3.10: `client._endpoint.http_session` with
`_get_session` and `_proxy_config`, and `_protected_refresh` of credentials that can be refreshed. Of aiohttp:
`TCPConnector._ssl`.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from truckstream.errors import ConfigurationError, InvalidArgumentError
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.http.http1 import header_lines
from truckstream.kinesis.session.signing import ALGORITHM, Keys, Signer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiobotocore.session import AioSession

    from truckstream.kinesis.http.connection_pool import ConnectionPool
    from truckstream.kinesis.http.http1 import HttpResponse

    _Line = Callable[["RequestTemplate", Mapping[str, str], bytes], Awaitable[HttpResponse]]

__all__ = ["RequestTemplate", "SessionEndpoint"]

#: Headers of a prepared request that hold for that one only. Lambda's trace id is that of one invocation.
_OF_ONE_REQUEST: Final = {
    *("amz-sdk-invocation-id", "amz-sdk-request", "authorization", "content-length", "expect"),
    *("x-amz-date", "x-amz-security-token", "x-amzn-trace-id"),
}


#: What aiobotocore signs the requests with that it only prepares. botocore logs what it signs, at DEBUG, with key and
#: token: it gets none that are worth anything.
_PLACEHOLDERS: Final = dict.fromkeys(
    ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), "a-placeholder-for-requests-never-sent"
)

PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """What all requests of one operation have in common."""

    url: str
    headers: Mapping[str, str]
    #: Scheme, host and port of the URL.
    origin: str
    #: The request's first line and its headers, as they are sent.
    head: bytes
    #: None when the session's requests are not signed.
    signer: Signer | None


class SessionEndpoint:
    """The user's session, opened for Kinesis.

    Args:
        region_name, endpoint_url, session: as in aiobotocore; by default the environment's.
        connections: the most requests at a time.
        request_timeout: seconds that the service may keep silent while an answer is waited for.
    """

    def __init__(
        self,
        *,
        region_name: str | None,
        endpoint_url: str | None,
        session: AioSession | None,
        connections: int,
        request_timeout: float,
    ) -> None:
        for argument, value in (("region_name", region_name), ("endpoint_url", endpoint_url)):
            if value is not None and not isinstance(value, str):
                raise InvalidArgumentError(argument, value, "must be a str")
        if session is not None and not hasattr(session, "create_client"):
            rule = "must be an aiobotocore session, as aiobotocore.session.get_session() makes it (aioboto3: _session)"
            raise InvalidArgumentError("session", session, rule)
        self._region_name = region_name
        self._endpoint_url = endpoint_url
        self._session: Any = session
        self._connections = connections
        self._connect_timeout = min(5.0, request_timeout)
        self._request_timeout = request_timeout
        self._resources = AsyncExitStack()
        self._client: Any = None
        self._templates: dict[str, RequestTemplate] = {}
        # By origin, how requests get there.
        self._lines: dict[str, _Line] = {}
        # The session's credentials, and those that replaced them after the service had refused them.
        self._given: Any = None
        self._credentials: Any = None
        self._renewing = asyncio.Lock()

    async def open(self) -> None:
        """Make aiobotocore's client.

        Raises:
            ConfigurationError: no region is known, or aiobotocore refuses the region, the endpoint or the profile.
        """
        from aiobotocore.config import AioConfig  # noqa: PLC0415 - half a second of CPU, for those who open one
        from aiobotocore.session import get_session  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, NoRegionError  # noqa: PLC0415

        config = AioConfig(
            connect_timeout=self._connect_timeout,
            read_timeout=self._request_timeout,
            max_pool_connections=self._connections,
            retries={"total_max_attempts": 1},
            parameter_validation=False,
        )
        self._session = self._session or get_session()
        try:
            context = self._session.create_client(
                "kinesis",
                region_name=self._region_name,
                endpoint_url=self._endpoint_url,
                config=config,
                **_PLACEHOLDERS,
            )
            self._client = await self._resources.enter_async_context(context)
        except NoRegionError as error:
            hint = "Pass region_name=, or set AWS_DEFAULT_REGION, or give the stream's ARN."
            raise ConfigurationError("region_name", "is not set", hint) from error
        except (BotoCoreError, ValueError) as error:
            hint = "Look at region_name=, endpoint_url=, AWS_PROFILE and AWS_ENDPOINT_URL_KINESIS."
            raise ConfigurationError("the AWS configuration", f"is refused: {str(error).rstrip('.')}", hint) from error
        self._client.meta.events.register_first("before-send.kinesis", _stop)

    async def close(self) -> None:
        """Give back the sockets; may be called twice."""
        self._client = None
        await self._resources.aclose()

    async def template(self, operation: str, stream: Mapping[str, str]) -> RequestTemplate:
        """The template for the requests of an operation, such as "PutRecords", on a stream.

        Raises:
            RequestFailedError: aiobotocore could not prepare one.
        """
        template = self._templates.get(operation)
        if template is None:
            template = self._templates[operation] = _template_of(await self._prepare(operation, stream))
        return template

    async def _prepare(self, operation: str, stream: Mapping[str, str]) -> Any:
        method = self._client.meta.method_to_api_mapping
        [name] = [name for name, api_name in method.items() if api_name == operation]
        try:
            await _translated(getattr(self._client, name)(**stream))
        except _Prepared as prepared:
            return prepared.request
        raise AssertionError("aiobotocore sent a request that it should only have prepared")

    async def keys(self) -> Keys:
        """The credentials to sign with now, refreshed if they are about to expire.

        Raises:
            RequestFailedError: there are none, or they could not be refreshed.
        """
        given = await _translated(self._session.get_credentials())
        if given is None:
            raise RequestFailedError(FailureKind.PERMANENT, "NoCredentialsError", "Unable to locate credentials")
        if given is not self._given:  # at first, and after the user has set others
            self._given = self._credentials = given
        return await _keys_of(self._credentials)

    async def renew_keys(self, refused: Keys) -> Keys:
        """Other credentials than those that the service has refused, or the same if there are no others.

        Raises:
            RequestFailedError: they could not be fetched.
        """
        async with self._renewing:
            keys = await self.keys()
            if keys != refused:
                return keys  # renewed for another request meanwhile
            if hasattr(self._credentials, "_protected_refresh"):
                async with self._credentials._refresh_lock:  # noqa: SLF001 - see the head of this file
                    await _translated(self._credentials._protected_refresh(is_mandatory=True))  # noqa: SLF001
            elif self._credentials.method != "explicit":  # a file may have new ones
                resolver = self._session.get_component("credential_provider")
                self._credentials = await _translated(resolver.load_credentials()) or self._credentials
            return await self.keys()

    async def send(self, template: RequestTemplate, signature: Mapping[str, str], body: bytes) -> HttpResponse:
        """Send one request, with the template's headers and those of `signature`; the answer, whatever its status.

        Raises:
            RequestFailedError: there is no answer, or not all of it.
        """
        line = self._lines.get(template.origin)
        if line is None:
            line = self._lines[template.origin] = await self._open_line(template)
        return await line(template, signature, body)

    async def _open_line(self, template: RequestTemplate) -> _Line:
        """How requests get to the template's address."""
        from truckstream.kinesis.http.connection_pool import ConnectionPool  # noqa: PLC0415 - for those who send

        http = self._client._endpoint.http_session  # noqa: SLF001 - see the head of this file
        proxy = http._proxy_config.proxy_url_for(template.url)  # noqa: SLF001
        session = await http._get_session(proxy)  # noqa: SLF001
        tls = session.connector._ssl  # noqa: SLF001
        if isinstance(tls, ssl.SSLContext):
            _check_host_names(tls)
        connector = self._client.meta.config.connector_args or {}
        if proxy or connector.keys() - {"keepalive_timeout"} or not isinstance(tls, ssl.SSLContext):
            headers = http._proxy_config.proxy_headers_for(template.url) if proxy else None  # noqa: SLF001
            return _line_through(session, proxy=proxy, proxy_headers=headers)
        address = urlsplit(template.url)
        pool = ConnectionPool(
            address.hostname or "",
            address.port or PORTS[address.scheme],
            tls if address.scheme == "https" else None,
            connect_timeout=self._connect_timeout,
            answer_timeout=self._request_timeout,
        )
        self._resources.push_async_callback(pool.close)
        return _line_over(pool)


def _line_over(pool: ConnectionPool) -> _Line:
    async def send(template: RequestTemplate, signature: Mapping[str, str], body: bytes) -> HttpResponse:
        added = header_lines({**signature, "Content-Length": str(len(body))})
        return await pool.post(template.head + added + b"\r\n", body)

    return send


def _line_through(session: Any, **options: Any) -> _Line:
    from truckstream.kinesis.http.aiohttp_transport import post  # noqa: PLC0415 - for those who need a proxy

    async def send(template: RequestTemplate, signature: Mapping[str, str], body: bytes) -> HttpResponse:
        return await post(session, template.url, {**template.headers, **signature}, body, **options)

    return send


def _check_host_names(context: ssl.SSLContext) -> None:
    """Have who checks certificates check also whom they are for: aiobotocore 2.25 leaves that out."""
    if context.verify_mode is ssl.CERT_REQUIRED and not context.check_hostname:
        context.check_hostname = True


class _Prepared(Exception):  # noqa: N818 - how a client is stopped before it sends, and no error
    def __init__(self, request: Any) -> None:
        super().__init__("prepared")
        self.request = request


def _stop(request: Any, **_: Any) -> None:
    raise _Prepared(request)


def _template_of(request: Any) -> RequestTemplate:
    """The template in a request that aiobotocore has prepared and signed."""
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    kept = {name: value for name, value in headers.items() if name not in _OF_ONE_REQUEST}
    kept["host"] = kept.get("host") or _host_of(request.url)
    kept["accept-encoding"] = "identity"  # aiobotocore's sessions do not decompress
    signature = headers.get("authorization")
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return RequestTemplate(
        url=request.url,
        headers=kept,
        origin=f"{parts.scheme}://{parts.netloc}",
        head=f"POST {target} HTTP/1.1\r\n".encode() + header_lines(kept),
        signer=_signer_of(signature, parts.path, kept) if signature else None,
    )


def _signer_of(signature: str, path: str, headers: Mapping[str, str]) -> Signer:
    """A signer for what `signature`, an Authorization header, was for."""
    algorithm, _, rest = signature.partition(" ")
    if algorithm != ALGORITHM:
        hint = "Leave the session's signature_version as it is by default."
        raise ConfigurationError("session", f"signs with {algorithm!r}, which is not supported", hint)
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    *_, region, service, _ = parts["Credential"].split("/")
    signed = {name: headers[name] for name in parts["SignedHeaders"].split(";") if name not in _OF_ONE_REQUEST}
    return Signer(region=region, service=service, path=path, headers=signed)


def _host_of(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in {None, PORTS[parts.scheme]} else f"{host}:{parts.port}"


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


async def _keys_of(credentials: Any) -> Keys:
    frozen = await _translated(credentials.get_frozen_credentials())
    return Keys(frozen.access_key, frozen.secret_key, frozen.token)


async def _translated(call: Any) -> Any:
    """Await what aiobotocore does before it sends, and translate what it raises."""
    import botocore.exceptions as boto  # noqa: PLC0415 - loaded with the client

    try:
        return await call
    except _Prepared:
        raise
    except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
        raise RequestFailedError(FailureKind.PERMANENT, type(error).__name__, str(error)) from error
    except Exception as error:
        # Whatever a provider raises: a role that cannot be assumed, metadata that do not answer, a login that ended.
        raise RequestFailedError(FailureKind.CREDENTIALS, type(error).__name__, str(error)) from error
